"""Between registry and core: resources as objects to compute with, and results as resources."""
