"""Delivers the registry's events to HTTP servers, signed and with retries."""
