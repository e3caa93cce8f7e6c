"""Label numbers of a data set, mapped to those of a model by name."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from modelfoundry.core.datasets.splits import ImageSet
from modelfoundry.errors import DatasetMismatch
from modelfoundry.names import near, shortened


def align_labels(
    image_set: ImageSet,
    dataset_labels: Sequence[str],
    model_labels: Sequence[str],
    *,
    needed: Sequence[str] | None = None,
) -> ImageSet:
    """Gives every image the label number that the model has for its label's name.

    Images of labels that the model does not know are left out. The images are not copied where the data set already
    has the model's labels in the model's order.

    Args:
        image_set: Images with the data set's label numbers.
        dataset_labels: Label names of the data set, by number.
        model_labels: Label names of the model, by number.
        needed: Labels of the model that the data set must have. None: all of them.

    Raises:
        DatasetMismatch: the data set lacks a needed label, or an image's label number has no name.
    """
    _check_named(image_set, dataset_labels)
    known = set(dataset_labels)
    missing = [label for label in (model_labels if needed is None else needed) if label not in known]
    if missing:
        raise _lacking(missing, dataset_labels)
    if tuple(dataset_labels) == tuple(model_labels):
        return image_set
    number = {label: index for index, label in enumerate(model_labels)}
    mapped = torch.tensor([number.get(label, -1) for label in dataset_labels])[image_set.labels]
    if bool((mapped >= 0).all()):
        return ImageSet(image_set.images, mapped)
    kept = torch.nonzero(mapped >= 0).flatten()
    return ImageSet(image_set.images[kept], mapped[kept])


def _check_named(image_set: ImageSet, dataset_labels: Sequence[str]) -> None:
    if len(image_set) and int(image_set.labels.max()) >= len(dataset_labels):
        raise DatasetMismatch(
            f"an image has label number {int(image_set.labels.max())}, but there are {len(dataset_labels)} label names",
            field="dataset",
            hint="register the data set with a name for every label",
        )


def _lacking(missing: Sequence[str], dataset_labels: Sequence[str]) -> DatasetMismatch:
    names = ", ".join(repr(shortened(label)) for label in missing[:5]) + (", ..." if len(missing) > 5 else "")
    similar = near(missing[0], dataset_labels)
    meant = f"; near {missing[0]!r} it has {', '.join(map(repr, similar))}" if similar else ""
    return DatasetMismatch(
        f"the data set lacks {len(missing)} of the labels needed: {names}{meant}",
        field="dataset",
        hint="labels are matched by name: use a data set whose label names are those of the model",
        metadata={"near": ",".join(similar)} if similar else None,
    )
