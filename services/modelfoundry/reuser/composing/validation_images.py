"""Validation images of a composition: cut from training data, of one data set or several, with its label numbers."""

from __future__ import annotations

import torch

from modelfoundry.client import Client, Dataset
from modelfoundry.core.datasets import ImageSet, read_split, validation_cut
from modelfoundry.reuser.composing.plan import CompositionPlan
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.splits import find_split, load_split


def validation_images(plan: CompositionPlan, client: Client, cache: BlobCache) -> ImageSet:
    """Images of all labels, data set after data set.

    Where models of the same labels are composed, the cut is the one that their decompositions made: among images of
    these labels. Of a new task it is made among all images of each data set, as in trainings.
    """
    parts = [_of_dataset(plan, dataset, client, cache) for dataset in plan.datasets]
    if len(parts) == 1:
        return parts[0]
    return ImageSet(torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts]))


def _of_dataset(plan: CompositionPlan, dataset: Dataset, client: Client, cache: BlobCache) -> ImageSet:
    validation = plan.request.validation
    if plan.known:
        names = plan.known
        images = load_split(client, cache, dataset, validation.source_split, names, names)
    else:
        names = dataset.labels
        part = find_split(dataset, validation.source_split, field="validation.source_split")
        images = read_split(cache.fetch(client, part.content.digest))
    _, chosen = validation_cut(images.labels, validation.fraction, validation.seed)
    number = {each.label: place for place, each in enumerate(plan.images) if each.dataset == dataset.name}
    mapped = torch.tensor([number.get(name, -1) for name in names])[images.labels[chosen]]
    kept = mapped >= 0
    return ImageSet(images.images[chosen[kept]], mapped[kept])
