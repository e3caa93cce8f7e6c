"""Provenance: what came from what, listed and walked."""
