"""The SDK for asyncio. `modelfoundry.client._sync` is generated from it by `clients/generate_sync.py`."""
