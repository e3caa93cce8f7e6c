"""Writes the digits that come with scikit-learn as images of 3x32x32, for networks that are made for such.

Usage: python benchmarks/enlarged_digits.py OUTPUT

OUTPUT gets `train.safetensors` and `test.safetensors`: the images and splits of `modelfoundry dataset push digits`,
every pixel as a square of 4x4 in three equal channels.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.numpy import load_file, save_file

from modelfoundry.client.sources import digits

SIDE = 4
CHANNELS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        prepared = digits.read(Path(folder), ())
        for split, path in prepared.files.items():
            tensors = load_file(path)
            small = tensors["images"].repeat(CHANNELS, axis=1)
            tensors["images"] = small.repeat(SIDE, axis=2).repeat(SIDE, axis=3)
            save_file(tensors, arguments.output / f"{split}.safetensors", {"classes": ",".join(prepared.labels)})
            print(f"{split}: {len(tensors['labels'])} images of {tensors['images'].shape[1:]}")


if __name__ == "__main__":
    main()
