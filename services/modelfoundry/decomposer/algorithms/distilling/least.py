"""How few images are too few to distil from. Knows no torch: settings read it."""

from __future__ import annotations

from typing import Final

LEAST_TRAINING: Final = 20
"""Training images of every label of a problem: fewer are learnt by heart at once."""
LEAST_VALIDATION: Final = 5
"""Validation images of the labels, and of the rest: fewer leave a threshold to chance."""
