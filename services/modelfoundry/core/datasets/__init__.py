"""Labelled images: how they are stored, cut, posed as target problems, normalised and varied."""

from modelfoundry.core.datasets.cutting import validation_count, validation_cut
from modelfoundry.core.datasets.imbalance import imbalanced_subset, subset_counts
from modelfoundry.core.datasets.labels import align_labels
from modelfoundry.core.datasets.posing import against_rest_indices, pose_binary, pose_multi_class, pose_open_set
from modelfoundry.core.datasets.splits import ImageSet, read_split, write_split
from modelfoundry.core.datasets.statistics import channel_statistics
from modelfoundry.core.datasets.transforms import Crops, crop, draw_crops, normalise, random_crop

__all__ = [
    "Crops",
    "ImageSet",
    "against_rest_indices",
    "align_labels",
    "channel_statistics",
    "crop",
    "draw_crops",
    "imbalanced_subset",
    "normalise",
    "pose_binary",
    "pose_multi_class",
    "pose_open_set",
    "random_crop",
    "read_split",
    "subset_counts",
    "validation_count",
    "validation_cut",
    "write_split",
]
