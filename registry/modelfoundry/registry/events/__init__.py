"""What changes in the registry, told in order to whoever mirrors it."""
