"""What `make bench` writes: every target with what was measured, or why nothing was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from interleaved import Ratio
from ratios.measurements import MEASUREMENTS, Measurement, Report
from ratios.page import page
from ratios.targets import TARGETS, Target

from modelfoundry.core.devices import computes_bfloat16

ROOT = Path(__file__).resolve().parents[3]
STEP = Target("step", "a step", 1.6, 2)
STEPS = Measurement("steps", "nowhere:steps", ("step",), 1)
MACHINE = {"processor": "a 4004", "cores": 4, "threads": 1, "torch": "2.15", "load": 0.5}


def ratio(median: float) -> Ratio:
    return Ratio("step of a network", "paper", median, median - 0.1, median + 0.1, 1.0, median)


def lines(found: Report | str | None) -> list[str]:
    written = page([STEP], [STEPS], {} if found is None else {"steps": found})
    return [line for line in written.splitlines() if line.startswith("| a step")]


@pytest.mark.parametrize(
    ("median", "verdict"), [(1.59, "**not reached**"), (1.6, "reached"), (1.99, "reached"), (2.0, "aim reached")]
)
def test_a_ratio_stands_beside_what_it_should_be(median: float, verdict: str) -> None:
    (line,) = lines(Report({"step": (ratio(median),)}, machine=MACHINE))
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        *("a step", "1.60x", "2.00x", "step of a network: paper"),
        *(f"**{median:.2f}x**", f"{median - 0.1:.2f}x to {median + 0.1:.2f}x", verdict),
    ]


def test_every_ratio_of_a_target_has_to_reach_it() -> None:
    found = lines(Report({"step": (ratio(3.0), ratio(1.0))}, machine=MACHINE))
    assert [line.split("|")[-2].strip() for line in found] == ["aim reached", "**not reached**"]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "`python benchmarks/run.py steps` was not run"),
        ("it failed with exit status 1", "it failed with exit status 1"),
        (Report({}, notes=("This processor has none.",), machine=MACHINE), "This processor has none"),
    ],
    ids=["never run", "failed", "impossible here"],
)
def test_what_was_not_measured_says_why(found: Report | str | None, why: str) -> None:
    (line,) = lines(found)
    assert line.endswith(f"| not measured: {why} |")


def test_parts_are_written_as_parts() -> None:
    written = page(
        [Target("step", "a step", 1 / 20, 1 / 8)], [STEPS], {"steps": Report({"step": (ratio(0.15),)}, machine=MACHINE)}
    )
    assert "| 1/20 | 1/8 |" in written
    assert "**1/7**" in written


def test_a_report_is_read_as_it_was_kept() -> None:
    report = Report({"step": (ratio(1.5),)}, (ratio(2.5),), ("A note.",), MACHINE)
    assert Report.from_json(report.to_json()) == report


def test_measurements_answer_targets_and_fit_into_twenty_minutes() -> None:
    assert {key for measurement in MEASUREMENTS for key in measurement.targets} <= {target.key for target in TARGETS}
    assert sum(measurement.minutes for measurement in MEASUREMENTS) <= 20


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("measurement", MEASUREMENTS, ids=lambda measurement: measurement.name)
def test_a_measurement_runs(measurement: Measurement, tmp_path: Path) -> None:
    """With as little work as shows that: figures mean nothing."""
    written = tmp_path / "RESULTS.md"
    command = [sys.executable, "benchmarks/run.py", measurement.name, "--tiny", "--kept", str(tmp_path)]
    subprocess.run([*command, "--page", str(written)], cwd=ROOT, check=True, capture_output=True)
    kept = json.loads((tmp_path / f"{measurement.name}.json").read_text())
    without = set() if computes_bfloat16(torch.device("cpu")) else {"mask-bfloat16"}
    assert set(kept["judged"]) == set(measurement.targets) - without
    assert f"## {measurement.name}" in written.read_text()
