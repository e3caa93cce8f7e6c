"""Exports: networks as files that run elsewhere, and as measured without their dead channels."""
