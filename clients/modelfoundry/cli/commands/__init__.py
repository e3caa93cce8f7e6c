"""One module for every group of commands."""
