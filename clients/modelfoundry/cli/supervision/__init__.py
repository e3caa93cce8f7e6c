"""Runs the four services as child processes of one command."""
