# Generated from `_async` by clients/generate_sync.py: change it there.
"""The SDK for threads, made from `_async` by `clients/generate_sync.py`."""
