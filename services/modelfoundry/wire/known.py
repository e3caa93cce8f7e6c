"""Resources that a caller hands on, so that they are not read again."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any, Final

from modelfoundry.api.registry.v1 import known_resources_pb2
from modelfoundry.errors import InvalidField
from modelfoundry.values.resources import Dataset, Model, dataset_digest
from modelfoundry.wire.resources import DATASET, MODEL

_CHANGEABLE: Final[dict[str, Any]] = {
    "display_name": "",
    "description": "",
    "license": "",
    "tags": {},
    "intended_use": "",
    "create_time": None,
    "update_time": None,
    "etag": "",
}
"""Fields that can differ from one reading to the next, so that they would make equal requests differ."""


def known_to_proto(*resources: Model | Dataset) -> known_resources_pb2.KnownResources:
    """The message of resources that were read, with what never changes of them.

    A data set is left out, to be read anew, where its digest is not over its labels as they are spelled here: older
    ones may be stored with labels that are not in Unicode's form NFC.
    """
    message = known_resources_pb2.KnownResources()
    for resource in resources:
        match resource:
            case Model():
                message.models.append(MODEL.to_proto(replace(resource, **_CHANGEABLE)))
            case Dataset() if not _in_other_letters(resource):
                message.datasets.append(DATASET.to_proto(replace(resource, **_CHANGEABLE)))
    return message


def _in_other_letters(dataset: Dataset) -> bool:
    """Whether labels have accents, and the digest is over another form of them."""
    accented = any(unicodedata.normalize("NFD", label) != label for label in dataset.labels)
    return accented and dataset.digest != dataset_digest(dataset.labels, dataset.splits)


def known_from_proto(message: known_resources_pb2.KnownResources) -> tuple[Model | Dataset, ...]:
    """The resources of a message, as if they had been read just now.

    The registry refuses a module whose record has another digest of the data set than its own. Here it is made sure
    that the digest is that of the splits which are worked on: a split under another's name would break the seal of the
    test split and be noticed by nobody.

    Raises:
        InvalidField: the digest of a data set is not that of its labels and splits.
    """
    datasets = [DATASET.from_proto(dataset) for dataset in message.datasets]
    for place, dataset in enumerate(datasets):
        if dataset.digest != dataset_digest(dataset.labels, dataset.splits):
            raise InvalidField(
                f"known.datasets[{place}]: its digest is not that of its labels and splits",
                field=f"known.datasets[{place}].digest",
                hint="hand on what the registry answered, or leave `known` out",
            )
    return (*map(MODEL.from_proto, message.models), *datasets)
