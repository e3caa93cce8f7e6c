"""The same call again gives the same answer; many callers at once do not get in each other's way."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.api.registry.v1 import evaluation_pb2, model_pb2, module_pb2
from modelfoundry.registry.records.shelf import Shelf, utc_now
from modelfoundry.registry.registry_service import RegistryServicer

THREADS = 12


def _together(work: Callable[[int], Any]) -> list[Any]:
    """Results of `work(0)` to `work(THREADS - 1)`, begun at the same moment; an error is a result."""
    barrier = threading.Barrier(THREADS)

    def run(index: int) -> Any:
        barrier.wait(timeout=30)
        try:
            return work(index)
        except errors.ModelFoundryError as error:
            return error

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(run, range(THREADS)))


def test_the_same_call_again_returns_what_the_first_one_made(registry: Any) -> None:
    call = {"request_id": str(uuid.uuid4())}

    first = registry.create_model(call=call, display_name="x")
    again = registry.create_model(call=call, display_name="x")

    assert again == first
    assert len(registry.models()) == 1


def test_the_answer_stays_when_the_resource_was_changed_or_deleted(registry: Any) -> None:
    call = {"request_id": str(uuid.uuid4())}
    first = registry.create_model("net", call=call)
    registry.call("DeleteModel", model_pb2.DeleteModelRequest(name=first.name))

    assert registry.create_model("net", call=call) == first
    assert registry.models() == []


@pytest.mark.parametrize("change", [{"display_name": "y"}, {"labels": ["a", "b"]}, {"tags": {"a": "b"}}])
def test_another_request_with_the_same_id_is_refused(registry: Any, change: dict[str, Any]) -> None:
    call = {"request_id": str(uuid.uuid4())}
    registry.create_model("net", call=call)

    with pytest.raises(errors.RequestIdReused) as caught:
        registry.create_model("other", call=call, **change)

    assert caught.value.field == "request_id"
    assert registry.models() == ["net"]


def test_an_id_serves_one_method_only(registry: Any) -> None:
    request_id = str(uuid.uuid4())
    base = registry.create_model("net", call={"request_id": request_id})
    evaluation = registry.evaluation_message(base, registry.create_dataset())

    with pytest.raises(errors.RequestIdReused):
        registry.call(
            "CreateEvaluation",
            evaluation_pb2.CreateEvaluationRequest(
                parent="projects/default", evaluation=evaluation, request_id=request_id
            ),
        )


def test_a_call_that_failed_can_be_made_right_under_the_same_id(registry: Any) -> None:
    call = {"request_id": str(uuid.uuid4())}
    with pytest.raises(errors.InvalidField):
        registry.create_model("net", call=call, labels=["one"])

    assert registry.create_model("net", call=call).name == "projects/default/models/net"


@pytest.mark.parametrize("request_id", ["1", "x" * 10_000_000, "{" + "0" * 32 + "}", "0" * 32, "\x00"])
def test_an_id_that_is_no_uuid_is_refused(registry: Any, request_id: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        registry.create_model(call={"request_id": request_id})

    assert caught.value.field == "request_id"


def test_answers_are_kept_for_a_day_and_no_longer(registry: Any) -> None:
    call = {"request_id": str(uuid.uuid4())}
    shift = timedelta()
    registry.servicer = RegistryServicer(Shelf(registry.database, registry.blobs, lambda: utc_now() + shift))
    first = registry.create_model(call=call)

    shift = timedelta(hours=23, minutes=59)
    assert registry.create_model(call=call) == first
    shift = timedelta(hours=24, minutes=1)
    assert registry.create_model(call=call).name != first.name


@pytest.mark.parametrize("model_id", ["", "net"], ids=["name made", "name given"])
def test_one_id_from_many_threads_makes_one_resource(registry: Any, model_id: str) -> None:
    request_id = str(uuid.uuid4())
    model = registry.model_message()

    def create(_: int) -> Any:
        request = model_pb2.CreateModelRequest(
            parent="projects/default", model_id=model_id, model=model, request_id=request_id
        )
        return registry.call("CreateModel", request)

    answers = _together(create)

    assert len(registry.models()) == 1
    assert all(answer == answers[0] for answer in answers)


def test_one_name_from_many_threads_is_given_once(registry: Any) -> None:
    model = registry.model_message()

    def create(_: int) -> Any:
        return registry.call(
            "CreateModel", model_pb2.CreateModelRequest(parent="projects/default", model_id="net", model=model)
        )

    answers = _together(create)

    assert sum(isinstance(answer, model_pb2.Model) for answer in answers) == 1
    assert sum(isinstance(answer, errors.AlreadyExists) for answer in answers) == THREADS - 1


def test_many_writers_and_readers_at_once_all_succeed(registry: Any) -> None:
    model = registry.model_message()
    shared = registry.create_model("shared")

    def work(index: int) -> list[str]:
        made = []
        for turn in range(6):
            request = model_pb2.CreateModelRequest(parent="projects/default", model_id=f"m-{index}-{turn}", model=model)
            made.append(registry.call("CreateModel", request).name)
            registry.call("ListModels", model_pb2.ListModelsRequest(parent="projects/default", page_size=5))
            change = model_pb2.Model(name=shared.name, display_name=f"{index}-{turn}")
            registry.call("UpdateModel", model_pb2.UpdateModelRequest(model=change))
        return made

    answers = _together(work)

    assert [answer for answer in answers if isinstance(answer, errors.ModelFoundryError)] == []
    assert len(registry.models()) == 6 * THREADS + 1


def test_of_many_updates_from_one_etag_one_wins(registry: Any) -> None:
    net = registry.create_model("net")

    def update(index: int) -> Any:
        change = model_pb2.Model(name=net.name, display_name=f"from {index}", etag=net.etag)
        return registry.call("UpdateModel", model_pb2.UpdateModelRequest(model=change))

    answers = _together(update)

    winners = [answer for answer in answers if isinstance(answer, model_pb2.Model)]
    assert len(winners) == 1
    assert sum(isinstance(answer, errors.EtagMismatch) for answer in answers) == THREADS - 1
    assert registry.call("GetModel", model_pb2.GetModelRequest(name=net.name)) == winners[0]


def test_a_module_is_never_left_without_its_base(registry: Any) -> None:
    dataset = registry.create_dataset("digits")

    for turn in range(5):
        base = registry.create_model("net")
        message = registry.module_message(base, dataset)

        def work(index: int, turn: int = turn, base: Any = base, message: Any = message) -> Any:
            if index % 2:
                return registry.call("DeleteModel", model_pb2.DeleteModelRequest(name=base.name))
            return registry.call(
                "CreateModule",
                module_pb2.CreateModuleRequest(
                    parent="projects/default", module_id=f"m-{turn}-{index}", module=message
                ),
            )

        _together(work)
        listed = registry.call("ListModules", module_pb2.ListModulesRequest(parent="projects/default")).modules
        assert bool(listed) == (registry.models() == ["net"])
        for module in listed:
            registry.call("DeleteModule", module_pb2.DeleteModuleRequest(name=module.name))
        if registry.models():
            registry.call("DeleteModel", model_pb2.DeleteModelRequest(name=base.name))
