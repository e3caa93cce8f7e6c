"""Rows of the papers' tables, measured on any device: what `benchmarks/papers` and `benchmarks/gpu` share."""
