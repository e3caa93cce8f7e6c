"""Lists of modules: what was measured of them stands beside what they were chosen by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelfoundry.cli.measuring import measured_of
from modelfoundry.cli.rendering.module_table import _record_facts, module_facts, print_modules
from modelfoundry.client import (
    BinaryProblem,
    BlobRef,
    DecompositionRecord,
    Frontier,
    FrontierPoint,
    JointValidation,
    MeasuredSummary,
    Module,
    SearchResult,
)

PARENT = "projects/default"


def module(name: str) -> Module:
    return Module(
        name=f"{PARENT}/modules/{name}",
        base_model=f"{PARENT}/models/net",
        problem=BinaryProblem("cat"),
        artifact=BlobRef("sha256:1", size_bytes=100),
        dataset=f"{PARENT}/datasets/pets",
        record=DecompositionRecord(algorithm="seam", validation_accuracy=0.9),
    )


def test_test_figures_stand_before_the_size(capsys: pytest.CaptureFixture[str]) -> None:
    told = MeasuredSummary(accuracy=0.88, balanced_accuracy=0.8751, auc=0.96)
    measured = {module("cat").name: told, module("new").name: MeasuredSummary()}
    print_modules([module("cat"), module("new")], PARENT, measured)
    header, _, cat, new, *_ = capsys.readouterr().out.splitlines()
    assert header.split("  ")[0] == "MODULE"
    assert header.index("VALIDATION") < header.index("TEST ACCURACY") < header.index("AUC, ALL") < header.index("SIZE")
    assert "90.0 % 88.0 % 87.51 % 96.00 % 100 B" in " ".join(cat.split())
    assert "88.0" not in new

    print_modules([module("cat")], PARENT)
    assert "AUC" not in capsys.readouterr().out


def test_what_a_search_chose_from_is_shown_with_the_module() -> None:
    points = (
        FrontierPoint(structure="8-8", macs=0.1, lost=0.5, bytes=2048, latency=0.2),
        FrontierPoint(structure="16-8", macs=0.25, lost=0.3, bytes=4096, latency=0.3, accuracy=0.955, taken=True),
    )
    record = replace(module("cat").record, frontier=Frontier(points=points, reason="it loses least"))
    facts = module_facts(replace(module("cat"), record=record), [], PARENT)
    place = [name for name, _ in facts].index("chosen from")
    assert [text for _, text in facts[place : place + 3]] == [
        "8-8: 10.0 % of the base's MACs, 2.0 KiB, 20.0 % of its time",
        "16-8: 25.0 % of the base's MACs, 4.0 KiB, 30.0 % of its time, validation 95.50 % <- taken",
        "files weights in fp32; it loses least",
    ]
    assert "chosen from" not in dict(module_facts(module("cat"), [], PARENT))


def test_figures_of_many_modules_are_asked_for_in_filters_that_the_registry_takes() -> None:
    class Searching:
        def __init__(self) -> None:
            self.filters: list[str] = []

        def search(self, *, filter: str) -> list[SearchResult]:  # noqa: A002 - as the client calls it
            self.filters.append(filter)
            asked = [term.partition('"')[2].strip('"').rpartition("/")[2] for term in filter.split(" OR ")]
            return [SearchResult(module=module(name), measured=MeasuredSummary(accuracy=0.5)) for name in asked]

    client: Any = Searching()
    names = [module(f"module-with-a-long-name-{number:03}").name for number in range(120)]
    assert list(measured_of(client, names)) == names
    assert all(len(each) <= 2048 and each.count(" OR ") < 50 for each in client.filters)
    assert len(client.filters) < 5
    assert measured_of(client, []) == {}


def test_a_joint_figure_is_never_shown_as_the_modules_own(capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"label_groups": [["cat"], ["dog"]]}
    older = DecompositionRecord(algorithm="tried", validation_accuracy=0.7, settings=settings)
    newer = replace(older, validation_accuracy=0.9, joint=JointValidation(accuracy=0.7, accuracy_base=0.8, samples=50))
    assert (older.holds_joint, newer.holds_joint) == (True, False)
    print_modules([replace(module("old"), record=older), replace(module("new"), record=newer)], PARENT)
    _, _, old, new, *_ = capsys.readouterr().out.splitlines()
    assert "70.0 % joint" in old
    assert "90.0 %" in new
    assert "joint" not in new
    told = dict(_record_facts(newer, "pets", PARENT))
    assert told["joint validation"] == "70.0 % of 50 samples, all modules together"
    assert told["validation"].startswith("90.0 %")
    assert "joint validation" not in dict(_record_facts(older, "pets", PARENT))
