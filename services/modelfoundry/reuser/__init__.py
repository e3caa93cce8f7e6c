"""The service that puts models and modules to use: predictions and exports."""
