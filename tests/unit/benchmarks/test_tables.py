"""The papers' tables and the GPU's page: what was measured, beside what was published, and what was not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from gpu import page as gpu_page
from gpu import study as gpu_study
from papers import page as papers_page
from papers import study as papers_study
from papers.recipe_rows import default_modules
from tables import resuming
from tables.figures import joint_figures, label_figures
from tables.measuring import small_network
from tables.rows import CIFAR10, Row

ROOT = Path(__file__).resolve().parents[3]
SEVERAL = pytest.mark.parametrize("study", [papers_study, gpu_study], ids=["papers", "gpu"])


def figures(label: str, accuracy: float) -> dict[str, Any]:
    of_label = {
        "accuracy": [accuracy, accuracy - 0.01, accuracy + 0.01],
        "auc": 0.99,
        "weights": 27_091,
        "weight_retention": 0.1,
        "kernel_retention": 0.9,
        "bytes": 20_480,
    }
    measured = {"seconds": 7.0, "cpu_seconds": 7.0, "device": "a card", "torch": "2.15"}
    return {"labels": {label: of_label}, **measured}


@SEVERAL
def test_rows_have_files_of_their_own(study: Any) -> None:
    keys = [row.key for row in study.rows()]
    assert len(keys) == len(set(keys))
    assert not set(keys) & {row.key for row in study.rows(tiny=True)}


@SEVERAL
def test_every_network_of_a_row_is_public_or_a_row_before_it(study: Any) -> None:
    trained = {"resnet20"}
    for row in study.rows():
        trained |= {row.base} if row.kind == "network" else set()
        assert row.base in trained


def test_the_papers_page_says_what_was_not_run(tmp_path: Path) -> None:
    rows = list(papers_study.rows())
    found = [(row, figures(row.label, 0.9) if row.label == "cat" else None) for row in rows]
    page = papers_page.page(found, tmp_path)
    own = page.partition("### Plain magnitude pruning")[2].partition("###")[0]
    assert "Not run: airplane, automobile, bird, deer, dog, frog, horse, ship, truck." in own
    assert "| cat | 27,091 (10.00 %) | 20.0 | **90.00 [89.0, 91.0]** |" in own
    assert "| ResNet20, CIFAR-10 | 95.64 | 95.81 | 0.27 | 0.03 (11.1 %) | readme |" in page


def test_without_a_gpu_its_page_says_so() -> None:
    page = gpu_page.page([(row, None) for row in gpu_study.rows()], None, None)
    assert "Not measured: no machine with a GPU was at hand." in page


def test_a_gpus_page_says_what_the_time_ended() -> None:
    rows = [row for row in gpu_study.rows() if row.base == "resnet20"]
    last = rows[-1]
    found = [(row, None if row is last else figures(row.label, 0.95)) for row in rows]
    page = gpu_page.page(found, {"summary": "3 passed"}, {"rows": [last.key]})
    assert "CUDA tests: 3 passed." in page
    assert "| mean of 9 |" in page
    assert "- resnet20, paper: truck (1 had begun when the time was over)" in page


def test_figures_of_a_label_stand_beside_its_base() -> None:
    truth = torch.arange(200) % 10
    base = torch.nn.functional.one_hot(truth, 10) * 8.0
    wrong = truth.clone()
    wrong[:20] = 7
    said = (wrong == CIFAR10.index("horse")).long()
    own = torch.stack([said, 1 - said], dim=1).float()
    found = label_figures("horse", own, base, truth)
    assert found["base_argmax"][0] == found["base_prior"][0] == 1.0
    assert found["accuracy"][0] < 1.0
    assert found["difference"][0] == pytest.approx(found["accuracy"][0] - 1.0)
    assert joint_figures(base, base, truth) == {"joint_accuracy": 1.0, "base_accuracy": 1.0}


@pytest.mark.parametrize("budget", [2_000, papers_study.TENTH])
def test_a_small_network_has_no_more_parameters_than_the_module(budget: int) -> None:
    network = small_network(budget)
    assert 0.5 * budget < sum(parameter.numel() for parameter in network.parameters()) <= budget
    assert network.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 2)


def test_recipes_that_were_not_searched_give_no_rows(tmp_path: Path) -> None:
    assert default_modules(tmp_path) == {}


def test_a_row_that_was_ended_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "EVERY", 0.0)
    ended = resuming.Resuming(tmp_path / "row.json")
    assert ended.resume is None
    ended.checkpoint(lambda path: path.write_text("half") and None)
    (tmp_path / "row.spent").write_text("[100.0, 50.0]")

    again = resuming.Resuming(tmp_path / "row.json")
    assert again.resume is not None
    assert again.resume.read_text() == "half"
    assert 100 < again.seconds[0] < 200
    assert 50 < again.seconds[1] < 150
    again.done()
    assert resuming.Resuming(tmp_path / "row.json").resume is None


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("what", ["papers", "gpu"])
def test_tiny_rows_are_measured_on_the_cpu(what: str, tmp_path: Path) -> None:
    """By the code that measures the real ones; figures mean nothing."""
    written = tmp_path / "page.md"
    common = [sys.executable, f"benchmarks/{what}", "run", "--tiny", "--rows", str(tmp_path), "--page", str(written)]
    own = ["--device", "cpu", "--slots", "1", "--minutes", "30"] if what == "gpu" else []
    subprocess.run([*common, *own], cwd=ROOT, check=True, capture_output=True)
    rows = list((papers_study if what == "papers" else gpu_study).rows(tiny=True))
    missing = [row.key for row in rows if not (tmp_path / f"{row.key}.json").exists()]
    assert missing == [], _logs(tmp_path, rows)
    if what == "gpu":
        assert "## GradSplitter, ten modules in one search" in written.read_text()


def _logs(folder: Path, rows: list[Row]) -> str:
    logs = (folder / f"{row.key}.log" for row in rows)
    return "\n".join(log.read_text() for log in logs if log.exists())
