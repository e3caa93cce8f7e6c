"""What papers, their published code and its pages say, with where each figure was read.

`readme`: the tool's own page of results. `abstract`: the paper's abstract, its tables were not at hand. `seed`: the
description that this project began with. `code`: a constant or log of the published code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Binary:
    """Mean over binary problems, in per cent and millions of weights."""

    network: str
    original: float
    module: float
    weights: float
    kept: float
    source: str


SEAM: Final = (
    Binary("VGG16, CIFAR-10", 96.50, 97.12, 15.25, 0.62, "readme"),
    Binary("VGG16, CIFAR-100", 86.82, 92.93, 15.29, 1.47, "readme"),
    Binary("ResNet20, CIFAR-10", 95.64, 95.81, 0.27, 0.03, "readme"),
    Binary("ResNet20, CIFAR-100", 83.97, 90.92, 0.28, 0.03, "readme"),
)
SEED_MODULES: Final = {
    # Network: for CIFAR-10's labels in their order, accuracy of the SeaM module and weights kept, in per cent (seed).
    "incecnn": (
        *((95.75, 9.40), (98.40, 5.20), (93.70, 10.79), (90.80, 14.10), (94.80, 11.18)),
        *((92.70, 12.17), (97.00, 7.34), (96.45, 9.66), (97.40, 6.95), (97.70, 6.50)),
    ),
    "simcnn": (
        *((95.65, 5.40), (98.30, 3.47), (91.35, 6.99), (88.65, 7.49), (95.25, 5.15)),
        *((92.55, 5.97), (96.80, 5.29), (95.90, 5.55), (96.65, 4.67), (97.55, 4.39)),
    ),
    "rescnn": (
        *((95.95, 8.79), (98.50, 5.57), (91.70, 11.29), (90.75, 11.92), (95.60, 8.50)),
        *((93.65, 9.86), (97.05, 8.48), (96.25, 8.59), (96.85, 7.06), (97.40, 6.89)),
    ),
}
SEED_SVHN: Final = {"incecnn": (97.06, 6.12), "simcnn": (97.35, 4.25), "rescnn": (97.10, 5.51)}
"""Means over SVHN's labels of the same table."""
SEED_COMPOSED: Final = (
    # Data, network, best of ten target models, composed (seed).
    ("CIFAR-10", "SimCNN", 81.01, 86.26),
    ("CIFAR-10", "ResCNN", 81.88, 85.95),
    ("CIFAR-10", "InceCNN", 83.06, 86.94),
    ("SVHN", "SimCNN", 87.51, 93.12),
    ("SVHN", "ResCNN", 85.07, 90.55),
    ("SVHN", "InceCNN", 83.19, 90.22),
)
SIZES: Final = (
    # Method, what is said of the size of what is reused, where.
    ("CNNSplitter", "52.4 % of SimCNN's multiply-accumulates on CIFAR-10, 52.3 % of ResCNN's", "code"),
    ("GradSplitter", "19.88 % fewer kernels than CNNSplitter", "abstract"),
    ("MwT", "14.58 % of the kernels on average; ResNet18 on CIFAR-10 24.74 %", "abstract, readme"),
    ("MODA", "up to 24x fewer weights and 37x less overlap than MwT", "abstract"),
    ("NeMo", "58.10 % smaller modules than MwT", "abstract"),
    ("SeaM", "10.11 % of the weights on average", "abstract"),
)
