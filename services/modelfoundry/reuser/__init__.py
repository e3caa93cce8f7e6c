"""The service that puts models and modules to use: predictions, exports and compositions."""
