"""Writes the first images of every label of CIFAR-10, so that networks can be trained on a small machine.

Usage: python benchmarks/cifar10_part.py FOLDER OUTPUT --train 150 --test 100

FOLDER holds `train.safetensors` and `test.safetensors` with `images` (uint8 [n, 3, 32, 32]) and `labels` (integers
[n]); OUTPUT gets the same two files with so many images of every label, in the order of the originals.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file


def first_of_every_label(labels: np.ndarray, count: int) -> np.ndarray:
    """Indices (int64 [labels * count], ascending) of the first `count` samples of every label."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--train", type=int, required=True, help="training images of every label")
    parser.add_argument("--test", type=int, required=True, help="test images of every label")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", arguments.train), ("test", arguments.test)):
        with safe_open(arguments.folder / f"{split}.safetensors", "numpy") as file:
            images, labels, label_names = file.get_tensor("images"), file.get_tensor("labels"), file.metadata()
        kept = first_of_every_label(labels, count)
        part = {"images": images[kept], "labels": labels[kept]}
        save_file(part, arguments.output / f"{split}.safetensors", metadata=label_names)
        print(f"{split}: {len(kept)} images")


if __name__ == "__main__":
    main()
