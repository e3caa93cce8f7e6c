"""Families of resources that replace each other, their numbered versions, and aliases that move between them."""
