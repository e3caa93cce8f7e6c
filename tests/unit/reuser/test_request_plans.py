"""Requests for modules by label: what each is answered with, or refused for, from what the registry lists alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.api.reuser.v1 import on_demand_service_pb2 as pb
from modelfoundry.client import (
    Architecture,
    BinaryProblem,
    BlobRef,
    Dataset,
    DecompositionRecord,
    Device,
    Environment,
    FoundLabels,
    InputSpec,
    JointValidation,
    Match,
    MatchKind,
    Model,
    Module,
    ModuleOrigin,
    MultiClassProblem,
    TrainingRecord,
)
from modelfoundry.registry.listing.syntax import MAX_BYTES, MAX_TERMS
from modelfoundry.reuser.on_demand.plan import plan_request, request_key
from modelfoundry.reuser.on_demand.shortlist import filters_of, module_offer
from modelfoundry.reuser.on_demand.wanted import Answers, WantedModules, wanted_from_proto
from modelfoundry.values.figures import FormComparison, FormCost, Latency
from modelfoundry.values.file_forms import Compute, ExportForm, WeightFormat
from modelfoundry.values.frontiers import Frontier, FrontierPoint
from modelfoundry.workbench.resources import AsyncResources

PROJECT = "projects/p"
LABELS = ("cat", "dog", "cow")


def full(name: str) -> str:
    return f"{PROJECT}/{name}"


MODEL = Model(
    name=full("models/net"),
    architecture=Architecture("zoo:resnet20"),
    input=InputSpec(3, 8, 8),
    labels=LABELS,
    weights=BlobRef("sha256:0", size_bytes=1000),
    training=TrainingRecord(recipe="weak", validation_accuracy=0.8, validation_samples=500),
)
CAT = Module(
    name=full("modules/net-cat"),
    base_model=MODEL.name,
    problem=BinaryProblem("cat"),
    artifact=BlobRef("sha256:1", size_bytes=100),
    dataset=full("datasets/animals"),
    record=DecompositionRecord(algorithm="seam", validation_accuracy=0.9, validation_samples=300),
)
SEVERAL = Module(
    name=full("modules/net-several"),
    base_model=MODEL.name,
    problem=MultiClassProblem(("dog", "cow")),
    artifact=BlobRef("sha256:2"),
    dataset=full("datasets/animals"),
    record=DecompositionRecord(algorithm="seam"),
)
ANIMALS = Dataset(name=full("datasets/animals"), labels=LABELS, splits=(), channels=3, height=8, width=8)
PLANTS = Dataset(name=full("datasets/plants"), labels=("oak",), splits=(), channels=3, height=8, width=8)


class Collection:
    """A list that is filtered by labels at most."""

    def __init__(self, asked: Counter[str], *resources: Any) -> None:
        self.asked = asked
        self.resources = resources
        self.lists = 0

    async def list(self, filter_: str = "", order_by: str = "") -> AsyncIterator[Any]:
        assert order_by == "name"
        self.lists += 1
        wanted = {term.removeprefix("labels:").strip('"') for term in filter_.split(" OR ")}
        for each in self.resources:
            labels = each.problem.labels if isinstance(each, Module) else each.labels
            if not filter_ or wanted & set(labels):
                yield each

    async def get(self, name: str) -> Any:
        self.asked[name] += 1
        for each in self.resources:
            if each.name == name:
                return each
        raise errors.NotFound(f"{name} is not there", hint="look at what is")


class Registry:
    """Knows what words mean, and has a model, two modules and two data sets."""

    words: Mapping[str, tuple[Match, ...]] = {
        **{label: (Match(kind=MatchKind.LABEL, label=label),) for label in LABELS},
        "kitty": (Match(kind=MatchKind.SYNONYM, label="cat", term="cat", vocabulary="v"),),
        "pet": tuple(Match(kind=MatchKind.MEMBER, label=label, term="pet", vocabulary="v") for label in ("cat", "dog")),
        "beast": tuple(Match(kind=MatchKind.SYNONYM, label=label, vocabulary="v") for label in ("cow", "dog")),
        "cta": (Match(kind=MatchKind.SPELLING, label="cat", distance=1),),
    }

    def __init__(self) -> None:
        self.reads: Counter[str] = Counter()
        self.models = Collection(self.reads, MODEL)
        self.modules = Collection(self.reads, CAT, SEVERAL)
        self.datasets = Collection(self.reads, ANIMALS, PLANTS)

    async def find_labels(self, query: str) -> FoundLabels:
        if query == "?!":
            raise errors.InvalidField("query: it has no words", field="query", hint="give a word")
        matches = self.words.get(query, ())
        return FoundLabels(matches=matches, known_labels=() if matches else LABELS)


def wanted(*labels: str, **fields: Any) -> WantedModules:
    return wanted_from_proto(pb.RequestModulesRequest(parent=PROJECT, labels=labels, **fields))


async def answers(*labels: str, registry: Registry | None = None, **fields: Any) -> Answers:
    client: Any = registry or Registry()
    return await plan_request(wanted(*labels, **fields), AsyncResources(client))


async def test_what_is_there_is_given_and_what_is_missing_is_to_be_made() -> None:
    registry = Registry()
    cat, dog = await answers("kitty", "dog", registry=registry)
    assert (cat.label, cat.match.label, cat.origin, cat.module) == ("kitty", "cat", ModuleOrigin.REGISTERED, CAT.name)
    assert (dog.origin, dog.module, dog.model, dog.dataset) == (
        ModuleOrigin.TO_BE_MADE,
        "",
        MODEL.name,
        ANIMALS.name,
    )
    assert not registry.reads  # lists say all, one for all labels
    assert (registry.models.lists, registry.modules.lists, registry.datasets.lists) == (1, 1, 1)


async def test_a_module_of_several_labels_answers_for_none_of_them() -> None:
    (cow,) = await answers("cow")
    assert cow.origin is ModuleOrigin.TO_BE_MADE


async def test_a_module_that_misses_a_constraint_is_not_given() -> None:
    (cat,) = await answers("cat", constraints={"min_accuracy": 0.95})
    assert cat.origin is ModuleOrigin.TO_BE_MADE


async def test_what_is_to_be_made_within_budgets_is_said() -> None:
    (cat,) = await answers("cat", constraints={"max_macs": 0.25, "max_bytes": 65_536, "min_accuracy_of_base": True})
    assert (cat.origin, cat.algorithm) == (ModuleOrigin.TO_BE_MADE, "specialise")
    assert cat.reason.endswith(
        "by specialise, which cuts a network of its own out of it, within 25.0% of the model's multiply-accumulates, "
        "65,536 bytes, validation accuracy of the model"
    )


POINT = FrontierPoint(structure="8-8", macs=0.2, lost=0.3, bytes=4000, latency=0.4, accuracy=0.88, taken=True)
FRONTIER = Frontier(weights=WeightFormat.INT8, compute=Compute.INT8, points=(POINT,))


def offer_of(
    record: dict[str, Any],
    form: ExportForm | None = None,
    forms: FormComparison | None = None,
    *,
    compact: bool = False,
) -> tuple[Any, ...]:
    told = replace(CAT, record=replace(CAT.record, validation_accuracy_base=0.85, **record), forms=forms)
    offer = module_offer(told, MODEL, compact=compact, form=form)
    assert offer.accuracy is not None
    assert offer.base_accuracy == 0.85
    return offer.accuracy.value, offer.size_bytes, offer.macs, offer.latency


def test_a_network_within_budgets_is_offered_with_the_figures_of_its_file() -> None:
    specialised = {"algorithm": "specialise", "frontier": FRONTIER}
    assert offer_of(specialised) == (0.88, 4000, 0.2, 0.4)
    assert offer_of(specialised, FRONTIER.form) == (0.88, 4000, 0.2, 0.4)
    assert offer_of(specialised, ExportForm()) == (0.9, 100, None, None)  # its files in float32 were not measured


def test_masks_alone_take_as_long_as_the_base_and_what_was_measured_counts() -> None:
    assert offer_of({}) == (0.9, 100, 1.0, 1.0)
    assert offer_of({}, compact=True) == (0.9, 100, None, None)
    assert offer_of({"algorithm": "by_hand"}) == (0.9, 100, None, None)
    whole, half = (
        FormCost(stored_bytes=1, parameters=1, macs_dense=macs, latencies=(Latency(1, ms, ms, 9),))
        for macs, ms in ((1000, 2.0), (500, 1.5))
    )
    forms = FormComparison(original=whole, masked=whole, compacted=half, max_difference=0.0, environment=Environment())
    assert offer_of({}, forms=forms) == (0.9, 100, 1.0, 1.0)
    assert offer_of({}, forms=forms, compact=True) == (0.9, 100, 0.5, 0.75)


async def test_equal_requests_have_one_key_and_others_another() -> None:
    given = await answers("cat", "dog")
    key = request_key(wanted("cat", "dog"), given)
    assert request_key(wanted("cat", "dog"), await answers("cat", "dog")) == key
    assert request_key(wanted("cat", "dog", compose=True), given) != key
    assert request_key(wanted("dog", "cat"), await answers("dog", "cat")) != key


REFUSED: list[Any] = [
    pytest.param([], {}, errors.InvalidField, "labels", id="no label"),
    pytest.param([" "], {}, errors.InvalidField, "labels[0]", id="an empty label"),
    pytest.param(["x" * 201], {}, errors.InvalidField, "labels[0]", id="a label that is too long"),
    pytest.param(["?!"], {}, errors.InvalidField, "labels[0]", id="a label without words"),
    pytest.param(["cat", "cat"], {}, errors.InvalidField, "labels[1]", id="a label twice"),
    pytest.param(["cat", "kitty"], {}, errors.InvalidField, "labels[1]", id="a label and its synonym"),
    pytest.param(["cat", "unicorn"], {}, errors.UnknownLabel, "labels[1]", id="a label that nobody knows"),
    pytest.param(["pet"], {}, errors.UnknownLabel, "labels[0]", id="a super-class"),
    pytest.param(["beast"], {}, errors.UnknownLabel, "labels[0]", id="a word with two meanings"),
    pytest.param(["cat"], {"compose": True}, errors.InvalidField, "compose", id="a classifier of one label"),
    pytest.param(["cat"], {"compact": True}, errors.InvalidField, "compact", id="compact without a format"),
    pytest.param(["cat"], {"device": 99}, errors.InvalidField, "device", id="no such device"),
    pytest.param(
        ["cat"], {"constraints": {"min_accuracy": 1.5}}, errors.InvalidField, "constraints.min_accuracy", id="above one"
    ),
    pytest.param(
        ["cat"],
        {"constraints": {"max_latency_ms": float("inf")}},
        errors.InvalidField,
        "constraints.max_latency_ms",
        id="for ever",
    ),
    pytest.param(
        ["cat"],
        {"constraints": {"dataset": full("datasets/other")}},
        errors.NotFound,
        "constraints.dataset",
        id="no such data set",
    ),
    pytest.param(
        ["cow"],
        {"constraints": {"dataset": PLANTS.name}},
        errors.DatasetMismatch,
        "constraints.dataset",
        id="a data set without the label",
    ),
]


@pytest.mark.parametrize(("labels", "fields", "error", "field"), REFUSED)
async def test_a_bad_request_names_field_and_remedy(
    labels: list[str], fields: dict[str, Any], error: type[errors.ModelFoundryError], field: str
) -> None:
    with pytest.raises(error) as caught:
        await answers(*labels, **fields)
    assert caught.value.field == field
    assert caught.value.hint


async def test_unknown_labels_are_all_told_each_with_the_nearest_known_ones() -> None:
    with pytest.raises(errors.UnknownLabel) as caught:
        await answers("cta", "cat", "pet")
    assert caught.value.metadata["near"] == "cat"
    assert [(each.field, each.description.rpartition("known are ")[2]) for each in caught.value.violations] == [
        ("labels[0]", "cat"),
        ("labels[2]", "cat, dog"),
    ]


@pytest.mark.parametrize(
    ("labels", "filters"),
    [([], 0), (["cat"], 1), ([str(number) for number in range(100)], 2), (["x" * 200] * 20, 3), (["x" * 4000] * 2, 2)],
)
def test_labels_are_looked_for_in_as_few_filters_as_the_registry_takes(labels: list[str], filters: int) -> None:
    made = list(filters_of(labels))
    assert len(made) == filters
    assert " OR ".join(made).count("labels:") == len(labels)
    for each in made:
        assert len(each.encode()) <= MAX_BYTES or each.count("labels:") == 1
        assert each.count("labels:") <= MAX_TERMS


def test_a_label_is_looked_for_as_it_is_spelt() -> None:
    assert list(filters_of(['a "b" \\ c'])) == [r'labels:"a \"b\" \\ c"']


def test_a_request_is_read_with_every_default_filled_in() -> None:
    read = wanted("cat")
    assert (read.labels, read.format, read.device, read.search.algorithm) == (("cat",), None, Device.AUTO, "seam")
    assert read.constraints.given == ()
    assert not read.jointly
    assert wanted("cat", constraints={"algorithm": "gradsplitter"}).jointly


def test_a_joint_figure_of_an_older_record_is_none_of_the_module() -> None:
    settings = {"label_groups": [["horse"], ["cow"]]}
    older = replace(CAT, record=replace(CAT.record, settings=settings))
    newer = replace(CAT, record=replace(older.record, joint=JointValidation(accuracy=0.5, samples=300)))
    assert module_offer(older, MODEL, compact=False).accuracy is None
    assert module_offer(older, MODEL, compact=False).base_accuracy is None
    assert module_offer(newer, MODEL, compact=False).accuracy == module_offer(CAT, MODEL, compact=False).accuracy
