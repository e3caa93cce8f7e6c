"""Several labels in one text, as options and the metadata of files have them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence


def labels_in(text: str) -> tuple[str, ...]:
    """The labels of a list in JSON, `["tench, Tinca tinca", "goldfish"]`, or separated by commas.

    Between commas a label that has some itself stands in double quotes, as in CSV: `"tench, Tinca tinca",goldfish`.
    Spaces around labels are dropped, and so is what is empty.
    """
    try:
        listed = json.loads(text)
    except ValueError:
        listed = None
    if isinstance(listed, list):
        return tuple(str(label) for label in listed)
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    return tuple(label.strip() for row in rows for label in row if label.strip())


def labels_in_all(texts: Sequence[str]) -> tuple[str, ...]:
    """`labels_in` of each, one after another."""
    return tuple(label for text in texts for label in labels_in(text))
