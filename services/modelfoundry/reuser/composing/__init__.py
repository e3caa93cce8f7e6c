"""Compositions: modules joined to one classifier, chosen on validation data."""
