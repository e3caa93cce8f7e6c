"""The algorithms that models are decomposed by, a room for each."""
