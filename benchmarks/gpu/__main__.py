"""Measures in under ten minutes what is worth a GPU, and writes benchmarks/GPU.md.

Usage: python benchmarks/gpu run --cifar10 FOLDER --resnet20 FILE [--minutes 9] [--slots N] [--rows FOLDER]
       python benchmarks/gpu page [--rows FOLDER]
       python benchmarks/gpu run --device cpu --tiny

FOLDER holds CIFAR-10 as `train.safetensors` and `test.safetensors`, FILE is the public ResNet20. The CUDA tests run
first; then rows in the order of their worth, each in a process of its own, N beside each other. What runs when the
time is over is ended; a later run goes on from its last checkpoint. `run` ends by writing the page. `--device cpu
--tiny` is the same on little data, to see that it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent)

from tables.keeping import keep, read_rows  # noqa: E402
from tables.rows import Row  # noqa: E402

from gpu.page import page  # noqa: E402
from gpu.scheduling import run_rows  # noqa: E402
from gpu.study import rows  # noqa: E402

SLOTS = min(8, len(os.sched_getaffinity(0)))
"""Small networks leave most of a GPU idle; more processes than this only take turns."""
TESTS = "tests.json"
STOPPED = "stopped.json"


def run(arguments: argparse.Namespace) -> None:
    began = time.monotonic()
    arguments.rows.mkdir(parents=True, exist_ok=True)
    if not arguments.tiny:
        _run_tests(arguments.rows / TESTS)
    stopped = run_rows(
        list(rows(tiny=arguments.tiny)),
        arguments.rows,
        lambda row: _command(row, arguments),
        slots=arguments.slots,
        until=began + 60 * arguments.minutes,
        public=arguments.resnet20 is not None,
    )
    keep(arguments.rows / STOPPED, {"minutes": arguments.minutes, "rows": [row.key for row in stopped]})


def _run_tests(path: Path) -> None:
    """The tests that need CUDA; they skip without it, which is no success."""
    root = HERE.parent.parent
    files = [str(file) for file in (root / "tests" / "unit").rglob("test_*.py") if "mark.cuda" in file.read_text()]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "-p", "no:cacheprovider", *files]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    keep(path, {"status": ran.returncode, "summary": ran.stdout.strip().rpartition("\n")[2]})


def _command(row: Row, arguments: argparse.Namespace) -> list[str]:
    given = {"--cifar10": arguments.cifar10, "--resnet20": arguments.resnet20, "--rows": arguments.rows}
    options = [part for name, value in given.items() if value is not None for part in (name, str(value))]
    tiny = ["--tiny"] if arguments.tiny else []
    return [sys.executable, str(HERE), "row", "--key", row.key, "--device", arguments.device, *options, *tiny]


def run_row(arguments: argparse.Namespace) -> None:
    """One row, in this process."""
    import torch
    from tables.material import Images
    from tables.measuring import Place, measure

    torch.set_num_threads(1)
    row = next(one for one in rows(tiny=arguments.tiny) if one.key == arguments.key)
    images = Images.tiny() if arguments.tiny else Images.read(arguments.cifar10)
    place = Place(images, torch.device(arguments.device), arguments.rows, arguments.resnet20)
    measure(row, place)


def _write_page(arguments: argparse.Namespace) -> None:
    facts = {
        name: json.loads((arguments.rows / name).read_text())
        for name in (TESTS, STOPPED)
        if (arguments.rows / name).exists()
    }
    text = page(read_rows(rows(tiny=arguments.tiny), arguments.rows), facts.get(TESTS), facts.get(STOPPED))
    arguments.page.write_text(text)
    print(text)


def _without_device(arguments: argparse.Namespace) -> bool:
    if arguments.device != "cuda":
        return False
    import torch

    return not torch.cuda.is_available()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "page", "row"))
    parser.add_argument("--cifar10", type=Path, help="folder of the images")
    parser.add_argument("--resnet20", type=Path, help="the public weights")
    parser.add_argument("--rows", type=Path, default=Path("build/gpu"), help="where rows are kept")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--minutes", type=float, default=9.0, help="of it all; what then runs is ended")
    parser.add_argument("--slots", type=int, default=SLOTS, help="rows beside each other, none without a core")
    parser.add_argument("--tiny", action="store_true", help="as little work as shows that it runs")
    parser.add_argument("--page", type=Path, default=HERE.parent / "GPU.md", help="what is written")
    parser.add_argument("--key", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.what == "row":
        run_row(arguments)
        return
    if arguments.what == "run":
        if not arguments.tiny and None in (arguments.cifar10, arguments.resnet20):
            parser.error("run needs --cifar10 and --resnet20")
        if _without_device(arguments):
            raise SystemExit("NO CUDA DEVICE: nothing was measured (--device cpu --tiny shows that it runs)")
        run(arguments)
    _write_page(arguments)


if __name__ == "__main__":
    main()
