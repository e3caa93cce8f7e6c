"""The service that measures models and modules."""
