"""What a GPU measures: the CUDA tests, and the papers' tables at full size as far as the time allows."""
