"""The recipe `distilled`: SeaM's masks at a given density, with the base as teacher and statistics of their own."""
