"""Bytes named by their SHA-256: stores, resumable uploads, and the service that moves them."""
