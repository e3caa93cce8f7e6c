"""A service refuses what it does not know, with its path; a client reads what it can."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest

from modelfoundry.api.registry.v1 import (
    dataset_pb2,
    evaluation_pb2,
    event_service_pb2,
    label_service_pb2,
    model_pb2,
    module_pb2,
    provenance_pb2,
    search_pb2,
)
from modelfoundry.api.types.v1 import blob_pb2, compute_pb2, problem_pb2
from modelfoundry.errors import Internal, InvalidField
from modelfoundry.values.computing import Device, ValidationSplit
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem
from modelfoundry.values.resources import BlobRef, DatasetSplit, Scoring
from modelfoundry.values.searching import Match, MatchKind
from modelfoundry.wire.computing import DEVICE, PROBLEM, VALIDATION
from modelfoundry.wire.enums import Members
from modelfoundry.wire.lineage import LINEAGE, event_from_proto
from modelfoundry.wire.modules import EVALUATION, MODULE
from modelfoundry.wire.on_demand import FOUND_LABELS
from modelfoundry.wire.pairs import OneOf, Pair
from modelfoundry.wire.resources import MODEL, PROVENANCE_EDGE

UNKNOWN: Any = 99


def test_a_service_names_the_field_of_a_number_that_it_does_not_know() -> None:
    message = evaluation_pb2.Evaluation(scoring=UNKNOWN)
    with pytest.raises(InvalidField, match="no Scoring has number 99") as caught:
        EVALUATION.from_request(message, field="evaluation")
    assert caught.value.field == "evaluation.scoring"
    assert "all_outputs, restricted" in caught.value.hint


def test_a_service_refuses_what_has_to_be_set() -> None:
    with pytest.raises(InvalidField, match=r"evaluation\.scoring: it is not set"):
        EVALUATION.from_request(evaluation_pb2.Evaluation(), field="evaluation")


def test_a_service_names_the_place_in_a_list() -> None:
    edges = [provenance_pb2.ProvenanceEdge(relation=relation) for relation in (1, UNKNOWN)]
    with pytest.raises(InvalidField) as caught:
        LINEAGE.from_request(provenance_pb2.GetLineageResponse(edges=edges), field="graph")
    assert caught.value.field == "graph.edges[1].relation"


def test_a_service_says_which_problem_is_missing() -> None:
    with pytest.raises(InvalidField, match=r"module\.problem: none is set") as caught:
        MODULE.from_request(module_pb2.Module(), field="module")
    assert "set `binary`" in caught.value.hint
    with pytest.raises(InvalidField) as caught:
        PROBLEM.from_request(problem_pb2.TargetProblem(), field="seam.problem")
    assert caught.value.field == "seam.problem"


def test_a_service_ignores_what_only_it_may_say() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    message = model_pb2.Model(name="projects/p/models/m", uid="u", etag="e", display_name="d", create_time=now)
    model = MODEL.from_request(message, field="model")
    assert (model.name, model.uid, model.etag, model.create_time, model.display_name) == ("", "", "", None, "d")
    assert MODEL.to_request(MODEL.from_proto(message)) == MODEL.to_request(model)
    assert MODEL.from_proto(message).create_time == now


def test_a_client_reads_what_a_newer_service_sends_as_far_as_it_can() -> None:
    assert EVALUATION.from_proto(evaluation_pb2.Evaluation(scoring=UNKNOWN)).scoring is Scoring.ALL_OUTPUTS
    assert EVALUATION.from_proto(evaluation_pb2.Evaluation(problem=problem_pb2.TargetProblem())).problem is None
    assert PROVENANCE_EDGE.known_from_proto(provenance_pb2.ProvenanceEdge(relation=UNKNOWN)) is None
    assert event_from_proto(event_service_pb2.RegistryEvent(kind=UNKNOWN)) is None


def test_a_client_leaves_out_of_a_list_what_it_does_not_know() -> None:
    matches = [search_pb2.Match(kind=UNKNOWN, label="a"), search_pb2.Match(kind=search_pb2.MATCH_KIND_LABEL, label="b")]
    message = label_service_pb2.FindLabelsResponse(matches=matches, known_labels=["c"])
    assert FOUND_LABELS.from_proto(message).matches == (Match(kind=MatchKind.LABEL, label="b"),)


def test_a_client_says_that_the_service_is_newer_when_it_cannot_read_the_whole() -> None:
    with pytest.raises(Internal, match="unknown kind") as caught:
        MODULE.from_proto(module_pb2.Module(name="projects/p/modules/m"))
    assert caught.value.field == "problem"
    assert "projects/p/modules/m" in caught.value.message
    assert "upgrade" in caught.value.hint


def test_members_have_their_numbers_and_a_default() -> None:
    assert DEVICE.to_proto(Device.CUDA) == compute_pb2.DEVICE_CUDA
    assert DEVICE.to_proto(None) == compute_pb2.DEVICE_UNSPECIFIED
    assert DEVICE.from_proto(99) is None
    assert DEVICE.from_request(0, field="device", default=Device.AUTO) is Device.AUTO
    for number, default in ((99, Device.AUTO), (0, None)):
        with pytest.raises(InvalidField, match=f"device: no Device has number {number}"):
            DEVICE.from_request(number, field="device", default=default)


def test_empty_fields_take_the_defaults_where_a_pair_says_so() -> None:
    assert VALIDATION.from_proto(compute_pb2.ValidationSplit(seed=3)) == ValidationSplit(seed=3)


class Half(StrEnum):
    AUTO = "auto"


@dataclass(frozen=True)
class Lacking:
    digest: str
    size_bytes: int


@dataclass(frozen=True)
class Richer:
    digest: str
    size_bytes: int
    media_type: str
    colour: str = ""


@dataclass(frozen=True)
class OtherType:
    digest: int
    size_bytes: int
    media_type: str


@pytest.mark.parametrize(
    ("value", "message", "what"),
    [
        (Lacking, blob_pb2.BlobRef, "media_type"),
        (Richer, blob_pb2.BlobRef, "colour"),
        (OtherType, blob_pb2.BlobRef, "digest"),
        (BinaryProblem, problem_pb2.MultiClassProblem, "label"),
    ],
)
def test_what_stands_on_one_side_only_is_no_pair(value: Any, message: Any, what: str) -> None:
    with pytest.raises(TypeError, match=what):
        Pair(value, message).from_proto(message())


def test_what_stands_on_one_side_only_may_be_listed() -> None:
    message = blob_pb2.BlobRef(digest="d", size_bytes=1, media_type="m")
    assert Pair(Lacking, blob_pb2.BlobRef, unread={"media_type"}).from_proto(message) == Lacking("d", 1)
    richer = Pair(Richer, blob_pb2.BlobRef, elsewhere={"colour"})
    assert richer.from_proto(message, colour="red") == Richer("d", 1, "m", "red")
    assert richer.to_proto(Richer("d", 1, "m", "red")) == message


def test_an_enum_lacks_nothing_of_the_contract() -> None:
    with pytest.raises(TypeError, match="CPU"):
        Members(Half, compute_pb2.Device)


def test_a_dataclass_in_a_field_needs_its_pair() -> None:
    with pytest.raises(TypeError, match="no part converts"):
        Pair(DatasetSplit, dataset_pb2.DatasetSplit).to_proto(DatasetSplit(split="s", content=BlobRef("d")))


def test_a_oneof_has_all_its_kinds() -> None:
    some = OneOf(problem_pb2.TargetProblem, binary=Pair(BinaryProblem, problem_pb2.BinaryProblem))
    with pytest.raises(TypeError, match="multi_class"):
        some.from_proto(problem_pb2.TargetProblem())
    assert PROBLEM.from_proto(PROBLEM.to_proto(MultiClassProblem(("a", "b")))) == MultiClassProblem(("a", "b"))
