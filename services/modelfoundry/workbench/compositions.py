"""Labels of compositions, by the names that they have in data sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from modelfoundry.client import Composition, Dataset

ENSEMBLE: Final = "ensemble"
"""Name of the baseline that is the ensemble of all others."""
IMAGES_SETTING: Final = "images"
"""Key of the record's settings that says for every label of a new task where its images come from."""


def label_names_in(composition: Composition, dataset: Dataset) -> dict[str, str]:
    """Labels of a composition that a data set has.

    Returns:
        Label of the composition to its name in the data set, in the order of the composition's labels. The name is that
        of the time when the composition was chosen there, else the same.
    """
    images: Mapping[str, Any] = composition.record.settings.get(IMAGES_SETTING, {})
    chosen_there = any(entry[0] == dataset.name for entry in images.values())
    found = {}
    for label in composition.labels:
        name = label
        if chosen_there:
            origin, name = images.get(label, ("", label))
            if origin != dataset.name:
                continue
        if name in dataset.labels:
            found[label] = name
    return found
