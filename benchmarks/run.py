"""Measures how fast the product is against plain ways of doing the same, and writes benchmarks/RESULTS.md.

Usage: python benchmarks/run.py [NAME ...] [--cifar10 FOLDER --resnet20 FILE] [--tiny] [--kept FOLDER] [--page FILE]
       python benchmarks/run.py --list | --rewrite

FOLDER holds CIFAR-10 as `train.safetensors` and `test.safetensors`, FILE is the public ResNet20; what needs them is not
measured without. `make bench` takes them from the variables CIFAR10 and RESNET20.

Every measurement runs in a process of its own, on as many threads as it asks for, and is kept as a file; the page is
written from all files, so that a run of some names keeps the figures of the others.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ratios.measurements import MEASUREMENTS, Effort, Measurement, NotHere, Report
from ratios.page import page
from ratios.targets import TARGETS

HERE = Path(__file__).resolve().parent
BY_NAME = {measurement.name: measurement for measurement in MEASUREMENTS}
OVERRUN = 3
"""Times as long as a measurement says that it takes, before it is stopped."""


def measure(measurement: Measurement, effort: Effort) -> None:
    """Runs a measurement in a process of its own, and keeps what it gave or why it gave nothing."""
    kept = effort.folder
    threads = measurement.threads or len(os.sched_getaffinity(0))
    command = [sys.executable, str(HERE / "run.py"), measurement.name, "--in-process", "--kept", str(kept)]
    variables = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    why = kept / f"{measurement.name}.txt"
    result = kept / f"{measurement.name}.json"
    for old in (why, result):
        old.unlink(missing_ok=True)
    # In a session of its own, so that what it started ends with it.
    work = subprocess.Popen([*command, *_options(effort)], env=variables, start_new_session=True)
    try:
        if status := work.wait(None if effort.tiny else 60 * OVERRUN * measurement.minutes):
            why.write_text(f"it failed with exit status {status}")
    except subprocess.TimeoutExpired:
        why.write_text(f"it ran past {OVERRUN * measurement.minutes:g} minutes on this machine")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(work.pid, signal.SIGKILL)
        work.wait()


def _options(effort: Effort) -> list[str]:
    given = {"--cifar10": effort.cifar10, "--resnet20": effort.resnet20}
    options = [part for name, value in given.items() if value is not None for part in (name, str(value))]
    return options + (["--tiny"] if effort.tiny else [])


def measure_here(measurement: Measurement, effort: Effort) -> None:
    """Runs a measurement in this process."""
    import torch
    from ratios.machine import machine

    load = os.getloadavg()[0]
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    try:
        found = measurement.run(effort)
    except NotHere as missing:
        (effort.folder / f"{measurement.name}.txt").write_text(str(missing))
        return
    report = Report(found.judged, found.beside, found.notes, machine(load))
    (effort.folder / f"{measurement.name}.json").write_text(report.to_json())


def read_kept(kept: Path) -> dict[str, Report | str]:
    """What all measurements that ever ran gave, or why they gave nothing."""
    found: dict[str, Report | str] = {}
    for name in BY_NAME:
        if (result := kept / f"{name}.json").exists():
            found[name] = Report.from_json(result.read_text())
        elif (why := kept / f"{name}.txt").exists():
            found[name] = why.read_text().strip()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *BY_NAME], metavar="NAME", help="none: all of them")
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--rewrite", action="store_true", help="write the page again from what was kept")
    parser.add_argument("--cifar10", type=Path, help="folder of the images")
    parser.add_argument("--resnet20", type=Path, help="the public weights")
    parser.add_argument("--tiny", action="store_true", help="as little work as shows that it runs")
    parser.add_argument("--kept", type=Path, default=Path("build/bench"), help="where measurements are kept")
    parser.add_argument("--page", type=Path, default=HERE / "RESULTS.md", help="what is written")
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    chosen = [BY_NAME[name] for name in arguments.names or BY_NAME]
    if arguments.list:
        for measurement in chosen:
            print(f"{measurement.name:<20} {measurement.minutes:4.1f} min  {', '.join(measurement.targets)}")
        return
    arguments.kept.mkdir(parents=True, exist_ok=True)
    effort = Effort(arguments.kept, arguments.tiny, arguments.cifar10, arguments.resnet20)
    for measurement in [] if arguments.rewrite else chosen:
        if arguments.in_process:
            measure_here(measurement, effort)
            continue
        print(f"{measurement.name}: about {measurement.minutes:g} minutes", flush=True)
        measure(measurement, effort)
    if not arguments.in_process:
        text = page(TARGETS, MEASUREMENTS, read_kept(arguments.kept))
        arguments.page.write_text(text)
        print(text)


if __name__ == "__main__":
    main()
