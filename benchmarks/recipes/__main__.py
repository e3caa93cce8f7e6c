"""Compares recipes: `python benchmarks/recipes run` searches modules, `... page` writes benchmarks/recipes.md.

Usage: python benchmarks/recipes run [--rows FOLDER] [--part NAME] [--minutes M]
       python benchmarks/recipes page [--rows FOLDER]

`run` needs `modelfoundry up` with the models and data sets that benchmarks/recipes.md names. Every row is one file in
FOLDER; a run goes on with the rows that are not there yet, one thread, and ends after M minutes or with the last row.
`page` reads the files. It alone looks at what was answered on test images: print it when all is chosen.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from page import write_page
from searching import Bases, measure_base, measure_row
from study import rows

from modelfoundry.client import Client

HERE = Path(__file__).resolve().parent


def run(folder: Path, part: str, minutes: float) -> None:
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with Client() as client:
        bases = Bases(client, folder / "cache")
        for row in rows():
            path = folder / f"{row.key}.npz"
            if path.exists() or (part and part != row.part):
                continue
            if time.monotonic() - begin > 60 * minutes:
                return
            material = bases.of(row.base)
            about_base = folder / f"base-{row.base.model}.npz"
            if not about_base.exists():
                measure_base(material, about_base)
            measure_row(row, material, path)
            print(f"{time.monotonic() - begin:6.0f} s  {row.part}: {row.key}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "page"))
    parser.add_argument("--rows", type=Path, default=Path("build/recipes"), help="where rows are kept")
    parser.add_argument("--part", default="", help="the rows of one table alone")
    parser.add_argument("--minutes", type=float, default=240.0, help="begin no row after so many")
    arguments = parser.parse_args()
    if arguments.what == "run":
        run(arguments.rows, arguments.part, arguments.minutes)
    else:
        print(write_page(arguments.rows, HERE.parent / "recipes.md"))


if __name__ == "__main__":
    main()
