"""Labelled images: how they are stored, cut, posed as target problems, normalised and varied."""

from modelfoundry.core.datasets.cutting import validation_count, validation_cut
from modelfoundry.core.datasets.imbalance import TrainingSubset, imbalanced_subset, subset_counts
from modelfoundry.core.datasets.labels import align_labels
from modelfoundry.core.datasets.posing import binary_indices, pose_binary, pose_multi_class
from modelfoundry.core.datasets.splits import ImageSet, read_split, write_split
from modelfoundry.core.datasets.statistics import channel_statistics
from modelfoundry.core.datasets.transforms import check_fits, normalise, random_crop

__all__ = [
    "ImageSet",
    "TrainingSubset",
    "align_labels",
    "binary_indices",
    "channel_statistics",
    "check_fits",
    "imbalanced_subset",
    "normalise",
    "pose_binary",
    "pose_multi_class",
    "random_crop",
    "read_split",
    "subset_counts",
    "validation_count",
    "validation_cut",
    "write_split",
]
