"""Looking after what is stored: garbage collection, checks, backups."""
