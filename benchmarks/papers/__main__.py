"""Measures the papers' tables as far as a CPU goes, and writes benchmarks/papers.md.

Usage: python benchmarks/papers run --cifar10 FOLDER --resnet20 FILE [--rows FOLDER] [--minutes M]
       python benchmarks/papers page [--rows FOLDER] [--recipes FOLDER]

FOLDER holds CIFAR-10 as `train.safetensors` and `test.safetensors`, FILE is the public ResNet20. Every row is a file;
a run goes on where the last one was ended, on one thread, and begins no row after M minutes. `page` also reads the
rows of `python benchmarks/recipes`, which searched the same modules.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent)

from tables.keeping import read_rows  # noqa: E402

from papers.page import page  # noqa: E402
from papers.study import rows  # noqa: E402


def run(arguments: argparse.Namespace) -> None:
    import torch
    from tables.material import Images
    from tables.measuring import Place, measure

    torch.set_num_threads(1)
    arguments.rows.mkdir(parents=True, exist_ok=True)
    images = Images.tiny() if arguments.tiny else Images.read(arguments.cifar10)
    place = Place(images, torch.device("cpu"), arguments.rows, arguments.resnet20)
    began = time.monotonic()
    for row in rows(tiny=arguments.tiny):
        path = arguments.rows / f"{row.key}.json"
        if path.exists() or time.monotonic() - began > 60 * arguments.minutes:
            continue
        measure(row, place)
        print(f"{time.monotonic() - began:6.0f} s  {row.key}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "page"))
    parser.add_argument("--cifar10", type=Path, help="folder of the images")
    parser.add_argument("--resnet20", type=Path, help="the public weights")
    parser.add_argument("--rows", type=Path, default=Path("build/papers"), help="where rows are kept")
    parser.add_argument("--recipes", type=Path, default=Path("build/recipes"), help="rows of benchmarks/recipes")
    parser.add_argument("--minutes", type=float, default=240.0, help="begin no row after so many")
    parser.add_argument("--tiny", action="store_true", help="as little work as shows that it runs")
    parser.add_argument("--page", type=Path, default=HERE.parent / "papers.md", help="what is written")
    arguments = parser.parse_args()
    if arguments.what == "run":
        if not arguments.tiny and None in (arguments.cifar10, arguments.resnet20):
            parser.error("run needs --cifar10 and --resnet20")
        run(arguments)
        return
    text = page(read_rows(rows(tiny=arguments.tiny), arguments.rows), arguments.recipes)
    arguments.page.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
