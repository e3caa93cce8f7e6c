"""The ground that the registry's rooms stand on: rows that several rooms read, and the one way to keep resources."""
