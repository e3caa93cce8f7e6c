"""Ratios of the product's speed to plain ways of doing the same: what is aimed at, what was measured, and the page."""
