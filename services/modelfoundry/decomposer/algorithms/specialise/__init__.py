"""Specialising: a really smaller network for some labels, cut out of the base and distilled from it."""
