"""Forms of a module for people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelfoundry.cli.rendering.form_table import form_facts, print_forms
from modelfoundry.client import Environment, FormComparison, FormCost, Latency

FORMS = FormComparison(
    original=FormCost(
        stored_bytes=226_000, parameters=56_394, macs_dense=3_650_000, latencies=(Latency(16, 2.5, 3.25, 100),)
    ),
    masked=FormCost(stored_bytes=1000, parameters=56_416, macs_dense=3_650_020, latencies=(Latency(16, 2.5, 3, 100),)),
    compacted=FormCost(stored_bytes=30_000, parameters=7_000, macs_dense=430_000, latencies=(Latency(16, 1, 2, 100),)),
    max_difference=4.1e-7,
    held_layers=("features.3",),
    environment=Environment(device="cpu"),
)


def test_forms_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    print_forms(FORMS)
    title, _, *rows, difference, held = capsys.readouterr().out.splitlines()
    assert title.split() == ["FORM", "FILE", "PARAMETERS", "MACS,", "DENSE", "BATCH", "16:", "MEDIAN", "MS", "(P95)"]
    assert [row.split() for row in rows] == [
        ["original", "220.7", "KiB", "56,394", "3.6", "M", "2.50", "(3.25)"],
        ["masked", "1000", "B", "56,416", "3.7", "M", "2.50", "(3.00)"],
        ["compacted", "29.3", "KiB", "7,000", "430.0", "k", "1.00", "(2.00)"],
    ]
    assert difference == "largest difference of logits, masked and compacted: 4.1e-07"
    assert held == "one channel stays in features.3: all were dropped"


def test_a_module_that_was_not_measured_has_no_such_facts() -> None:
    assert form_facts(None) == []
    facts = dict(form_facts(replace(FORMS, held_layers=())))
    assert facts["compacted"] == "29.3 KiB file, 7,000 parameters, 430.0 k dense MACs, 1.00 ms at batch 16"
    assert facts["one channel stays in"] == ""
