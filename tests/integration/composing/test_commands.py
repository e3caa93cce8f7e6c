"""Composing on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from composing_stock import PROJECT, Stock

from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.main import run
from modelfoundry.client import Composition


@pytest.fixture
def cli(
    stock: Stock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[str, str]]:
    for service in ("registry", "evaluator", "reuser"):
        monkeypatch.setenv(f"MODELFOUNDRY_{service.upper()}", getattr(stock.client.endpoints, service))
    monkeypatch.setenv("MODELFOUNDRY_PROJECT", PROJECT.partition("/")[2])

    def call(*arguments: str, status: int = ExitCode.OK) -> tuple[str, str]:
        capsys.readouterr()
        found = run([*arguments, "--validation-fraction", "0.3"])
        captured = capsys.readouterr()
        assert found == status, captured.err
        return captured.out, captured.err

    return call


def test_the_command_composes_and_says_what_to_do_next(cli: Callable[..., tuple[str, str]]) -> None:
    settings = ("--strategy", "per-label", "--name", "typed", "--allow-different-preprocessing")
    out, err = cli("compose", "a", "b", "--dataset", "low", *settings)
    lines = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in out.splitlines()]
    assert lines[0] == ["compositions/typed"]
    assert {line[0]: line[1] for line in lines if line[:1] in (["0"], ["1"], ["2"])}.keys() == {"0", "1", "2"}
    compared = [line[0] for line in lines if len(line) == 4 and "%" in line[1]]
    assert compared[:4] == ["this composition", "models/a", "models/b", "ensemble"]
    assert "modelfoundry evaluate compositions/typed --baselines --dataset low" in " ".join(err.split())


def test_the_command_patches_and_composes_new_tasks(cli: Callable[..., tuple[str, str]]) -> None:
    sources = ("models/a", "models/b", "--patch", "weak", "--labels", "2")
    _, err = cli("compose", *sources, "--dataset", "low", status=ExitCode.USAGE)
    assert "--allow-different-preprocessing" in " ".join(err.split())
    out, _ = cli("compose", *sources, "--dataset", "low", "--allow-different-preprocessing", "--json")
    patched = json.loads(out)
    assert patched["composition"]["task"] == "patch"
    assert [each["label"] for each in patched["replacements"]] == ["2"]
    out, _ = cli("compose", "--label", "zero=models/a:0@low", "--label", "3=high-3@high", "--json")
    assert json.loads(out)["composition"]["labels"] == ["zero", "3"]


def test_the_command_measures_labels_of_several_data_sets_together(
    stock: Stock, mixed: Composition, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for service in ("registry", "evaluator"):
        monkeypatch.setenv(f"MODELFOUNDRY_{service.upper()}", getattr(stock.client.endpoints, service))
    monkeypatch.setenv("MODELFOUNDRY_PROJECT", PROJECT.partition("/")[2])
    assert run(["evaluate", "compositions/mixed", "--dataset", "low,high", "--baselines"]) == ExitCode.OK
    measured, _, _ = capsys.readouterr().out.partition("\n\n")
    rows = [line for line in measured.splitlines() if line.startswith("mixed")]
    assert ["within each data set" in row for row in rows] == [False, True]
    assert run(["composition", "show", "mixed"]) == ExitCode.OK
    shown = " ".join(capsys.readouterr().out.split())
    assert "of low, high, chosen from all outputs" in shown
    assert "of low, high, chosen from the labels of the image's data set" in shown
    evaluation = next(iter(stock.client.evaluations.list(f'subject = "{mixed.name}"')))
    assert run(["evaluation", "show", evaluation.id]) == ExitCode.OK
    assert f"{evaluation.parts[1].dataset_digest}, three on" in " ".join(capsys.readouterr().out.split())
