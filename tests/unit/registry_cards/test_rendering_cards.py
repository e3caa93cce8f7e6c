"""Cards as Markdown: valid front matter, and owners' text that stays inside of its quote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import DatasetCard, ModelCard

from modelfoundry.api.types.v1 import compute_pb2, forms_pb2, metrics_pb2
from modelfoundry.registry.cards.markdown import render
from modelfoundry.registry.cards.sheet import Account, Measurement, Owned, Sheet
from modelfoundry.registry.cards.texts import quoted
from modelfoundry.values.cards import CardFact, CardLimit, LimitKind
from modelfoundry.values.figures import BaseComparison, Difference, DiscriminationMetrics, Interval, PriorThreshold
from modelfoundry.values.file_forms import Compute, WeightFormat
from modelfoundry.values.frontiers import Frontier, FrontierPoint
from modelfoundry.values.resources import Scoring

MODULE = "projects/default/modules/net-cat"
HOSTILE = (
    "---\nlicense: mit\n---\n```\n# Results\n<!-- <script>alert(1)</script>\r\n| a | b |\n\t- <https://example.org>"
)


def _result(**fields: Any) -> Measurement:
    known: dict[str, Any] = {
        "evaluation": "projects/default/evaluations/e",
        "subject": MODULE,
        "scoring": Scoring.ALL_OUTPUTS,
        "dataset": "projects/default/datasets/pets",
        "dataset_digest": "sha256:" + "1" * 64,
        "split": "test",
        "problem_labels": ("cat",),
        "sample_count": 300,
        "accuracy": 0.9,
        "accuracy_interval": Interval(0.861, 0.929, 0.95),
        "precision": 0.91,
        "recall": 0.89,
        "f1": 0.9,
        "create_time": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Measurement(**known | fields)


def _card(results: Sequence[Measurement] = (), account: dict[str, Any] | None = None, **owned: Any) -> Sheet:
    known: dict[str, Any] = {
        "summary": "Tells cat from the rest: a part of models/net.",
        "labels": ("cat", "rest"),
        "facts": (CardFact("How it was made", "Setting alpha", "0.5"), CardFact("Where it comes from", "Name", MODULE)),
        "limits": (),
        "algorithm": "seam",
        "base_models": ("projects/default/models/net",),
        "datasets": ("projects/default/datasets/pets",),
    }
    limits = (CardLimit(LimitKind.NO_LICENSE, "Nobody stated a licence."),)
    return Sheet(MODULE, '"e"', Owned(**owned), Account(**known | (account or {})), results, limits)


def _front_matter(markdown: str) -> dict[str, Any]:
    _, text, _ = markdown.split("---\n", 2)
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def test_the_front_matter_says_what_the_hub_asks_for(tmp_path: Path) -> None:
    base = _result(subject="projects/default/models/net", scoring=Scoring.RESTRICTED, accuracy=0.95)
    path = tmp_path / "README.md"
    path.write_text(render(_card([_result(), base], license="BSD-2-Clause", tags={"team": "vision", "draft": ""})))

    card = ModelCard.load(path)

    assert card.data.license == "bsd-2-clause"
    assert (card.data.library_name, card.data.pipeline_tag) == ("modelfoundry", "image-classification")
    assert card.data.tags == ["modelfoundry", "modelfoundry-module", "seam", "draft", "team:vision"]
    assert (card.data.base_model, card.data.datasets) == (["net"], ["pets"])
    assert card.data.model_name == "net-cat"
    results = {result.metric_type: result for result in card.data.eval_results}
    assert {metric: result.metric_value for metric, result in results.items()} == {
        "accuracy": 0.9,
        "precision": 0.91,
        "recall": 0.89,
        "f1": 0.9,
    }
    accuracy = results["accuracy"]
    assert (accuracy.dataset_name, accuracy.dataset_split) == ("pets", "test")
    assert accuracy.dataset_args == {"samples": 300, "labels": ["cat"]}
    assert accuracy.metric_args == {"interval": [0.861, 0.929], "level": 0.95}


def test_the_text_compares_with_the_base_model_and_says_split_samples_and_interval() -> None:
    base = _result(subject="projects/default/models/net", scoring=Scoring.RESTRICTED, accuracy=0.95)

    text = ModelCard(render(_card([_result(), base]))).text

    assert "| this on cat | datasets/pets | test | 300 | 90.00 % | 86.1 % to 92.9 % |" in text
    assert "| models/net, restricted to these labels on cat | datasets/pets | test | 300 | 95.00 % |" in text
    assert "- Nobody stated a licence." in text
    assert "| Setting alpha | 0.5 |" in text


def test_figures_of_all_images_stand_beside_those_of_the_images_posed() -> None:
    bounds = Interval(0.97, 0.99, 0.95)
    told = DiscriminationMetrics(
        sample_count=3000,
        positive_count=150,
        auc=0.985,
        auc_interval=bounds,
        balanced_accuracy=0.91,
        balanced_accuracy_interval=Interval(0.88, 0.94, 0.95),
        at_prior=PriorThreshold(
            log_odds=-1.1,
            accuracy=0.94,
            accuracy_interval=bounds,
            balanced_accuracy=0.95,
            balanced_accuracy_interval=bounds,
        ),
    )
    compared = BaseComparison(accuracy=Difference(-0.02, Interval(-0.03, -0.01, 0.95)))
    own = _result(discrimination=replace(told, at_prior=None), against_base=compared)
    base = _result(subject="projects/default/models/net", discrimination=told)

    card = ModelCard(render(_card([own, base])))

    end = "90.00 % | 91.00 % (88.0 % to 94.0 %) | 98.50 % (97.0 % to 99.0 %) |"
    assert (
        f"| this on cat | datasets/pets | test | 300 of 3,000 | 90.00 % | 86.1 % to 92.9 % | 91.00 % | 89.00 % | {end}"
        in card.text
    )
    assert "| models/net, at the prior on cat | datasets/pets | test | 300 of 3,000 | 94.00 % |" in card.text
    assert "- accuracy, the base among all its labels: -2.00 points (95 % interval -3.00 to -1.00)" in card.text
    assert "At the prior: the log-odds of the base model decide" in card.text
    results = {result.metric_type: result for result in card.data.eval_results}
    assert (results["roc_auc"].metric_value, results["balanced_accuracy"].metric_value) == (0.985, 0.91)
    assert results["roc_auc"].metric_args == {"interval": [0.97, 0.99], "level": 0.95}


def test_what_older_services_measured_shows_dashes() -> None:
    text = ModelCard(render(_card([_result()]))).text

    assert "| 90.00 % | - | - |" in text
    assert "At the prior" not in text


def test_forms_stand_side_by_side_with_the_equivalence_check() -> None:
    forms = forms_pb2.FormComparison(
        original=forms_pb2.FormCost(
            stored_bytes=4000,
            parameters=1000,
            macs_dense=9000,
            latencies=[metrics_pb2.Latency(batch_size=16, median_ms=2.5)],
        ),
        masked=forms_pb2.FormCost(stored_bytes=100),
        compacted=forms_pb2.FormCost(stored_bytes=800),
        max_difference=1.5e-6,
        environment=compute_pb2.Environment(device="cpu"),
    )

    text = render(_card(account={"forms": forms}))

    assert "| original | 4,000 | 1,000 | 9,000 | 2.500 ms |" in text
    assert "differ by at most 1.5e-06. Measured on cpu." in text


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("MIT", {"license": "mit"}),
        ("GPL-3.0-or-later AND MIT", {"license": "other", "license_name": "gpl-3.0-or-later-and-mit"}),
        ("!!", {"license": "other", "license_name": "other"}),
        ("", {}),
    ],
    ids=["known", "expression", "nothing to name it by", "none"],
)
def test_licences_are_named_as_the_hub_names_them(stated: str, expected: dict[str, str]) -> None:
    found = _front_matter(render(_card(license=stated)))

    assert {key: value for key, value in found.items() if key.startswith("license")} == expected


def test_owners_text_can_neither_break_the_front_matter_nor_leave_its_quote() -> None:
    card = _card([_result()], description=HOSTILE, intended_use=HOSTILE, display_name="--- # [x](y) `", license="a: b")
    plain = _card([_result()], description="x", intended_use="x", display_name="x", license="a: b")

    text = render(card)

    assert _front_matter(text) == _front_matter(render(plain))
    outside = [line for line in ModelCard(text).text.splitlines() if not line.startswith(">")]
    expected = [line for line in ModelCard(render(plain)).text.splitlines() if not line.startswith(">")]
    assert [line for line in outside if not line.startswith("# ")] == [
        line for line in expected if not line.startswith("# ")
    ]
    assert "# --- \\# \\[x\\](y) \\`" in outside


def test_a_quote_keeps_markdown_and_shows_html() -> None:
    assert quoted(HOSTILE).splitlines() == [
        "> ---",
        "> license: mit",
        "> ---",
        "> ```",
        "> # Results",
        "> &lt;!-- &lt;script>alert(1)&lt;/script>",
        "> | a | b |",
        "> \t- <https://example.org>",
    ]


def test_labels_with_markdown_in_them_stay_labels() -> None:
    labels = ("a|b", "*c*", "[d](e)", "`f`", "<b>g", "h\\|i", "&amp;", "rest")

    text = render(_card(account={"labels": labels}))

    table = text.split("## Labels\n\n")[1].split("\n\n")[0].splitlines()
    assert table[2:5] == ["| 0 | a\\|b |", "| 1 | \\*c\\* |", "| 2 | \\[d\\](e) |"]
    assert table[7:9] == ["| 5 | h\\\\\\|i |", "| 6 | \\&amp; |"]


def test_of_many_labels_the_first_stand_there() -> None:
    text = render(_card(account={"labels": tuple(f"label {index}" for index in range(102))}))

    assert "| 99 | label 99 |\n\nand 2 more\n" in text


def test_data_sets_have_cards_of_their_own(tmp_path: Path) -> None:
    account = {"sample_count": 1797, "base_models": (), "datasets": (), "algorithm": ""}
    card = replace(_card(account=account, display_name="Digits: 0-9"), name="projects/default/datasets/digits")
    path = tmp_path / "README.md"
    path.write_text(render(card))

    data = DatasetCard.load(path).data

    assert (data.pretty_name, data.size_categories) == ("Digits: 0-9", ["1K<n<10K"])
    assert data.tags == ["modelfoundry", "modelfoundry-dataset"]


def test_what_a_search_chose_from_is_a_table_with_the_reason() -> None:
    points = (
        FrontierPoint(structure="16-16-16", macs=0.21, lost=0.4, bytes=40_000, latency=0.25),
        FrontierPoint(structure="16-32", macs=0.4, lost=0.1, bytes=88_700, latency=0.335, accuracy=0.955, taken=True),
    )
    frontier = Frontier(compute=Compute.INT8, weights=WeightFormat.INT8, points=points, reason="it loses | least")
    shown = render(_card(account={"frontier": frontier}))
    assert "## What it was chosen from" in shown
    assert "| 16-16-16 | 21.00 % | 40,000 | 25.00 % | 40.00 % | not tried |" in shown
    assert "| 16-32 **(this)** | 40.00 % | 88,700 | 33.50 % | 10.00 % | 95.50 % |" in shown
    assert "Taken: it loses \\| least." in shown
    assert "ONNX files (computed in int8)" in shown
    assert "What it was chosen from" not in render(_card())
