"""Statements about modules and compositions, signed when they are stored, and the keys to check them with."""
