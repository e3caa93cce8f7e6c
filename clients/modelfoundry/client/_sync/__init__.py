# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""The SDK for threads, made from `_async` by `clients/generate_sync.py`."""
