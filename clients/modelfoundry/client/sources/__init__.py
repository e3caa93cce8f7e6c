"""Data sets on this machine, read in the forms that people have them in. No pickle is ever read."""
