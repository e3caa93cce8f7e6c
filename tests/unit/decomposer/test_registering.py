"""All modules of a search are registered, or none; a job that is taken up again finds what it made."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from modelfoundry import errors
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult
from modelfoundry.decomposer.decompose import _Draft, _ran_on, _register_all
from modelfoundry.values.problems import BinaryProblem
from modelfoundry.values.resources import BlobRef, DecompositionRecord, Module


class Shelf:
    """The registry's modules as a client of one project sees them."""

    def __init__(self) -> None:
        self.kept: dict[str, Module] = {}
        self.requests: dict[str, str] = {}
        self.full_at: str | None = None

    def create(self, module: Module, *, module_id: str, request_id: str) -> Module:
        if request_id in self.requests:
            return self.kept[self.requests[request_id]]
        if module_id == self.full_at:
            raise errors.Unavailable("no room")
        if module_id in self.kept:
            raise errors.AlreadyExists(f"{module_id} is there")
        self.kept[module_id] = replace(module, name=f"projects/p/modules/{module_id}")
        self.requests[request_id] = module_id
        return self.kept[module_id]

    def get(self, module_id: str) -> Module:
        return self.kept[module_id]

    def delete(self, module: Module) -> None:
        del self.kept[module.id]


def draft(label: str, digest: str = "a", key: str = "k") -> Any:
    module = Module(
        base_model="m",
        problem=BinaryProblem(label),
        artifact=BlobRef(f"sha256:{digest}"),
        dataset="d",
        record=DecompositionRecord(algorithm="x", cache_key=key),
    )
    return _Draft(f"net-{label}", module)


def registered(shelf: Shelf, drafts: list[Any], operation: str = "projects/p/operations/1") -> list[str]:
    client: Any = SimpleNamespace(modules=shelf)
    return [name.rpartition("/")[2] for name in _register_all(client, operation, drafts)]


def test_all_are_registered_in_the_order_of_the_plan() -> None:
    assert registered(Shelf(), [draft("b"), draft("a")]) == ["net-b", "net-a"]


def test_a_job_that_is_taken_up_again_makes_no_other() -> None:
    shelf = Shelf()
    drafts = [draft("a"), draft("b")]
    assert registered(shelf, drafts) == registered(shelf, drafts)
    assert sorted(shelf.kept) == ["net-a", "net-b"]


def test_a_job_that_begins_anew_finds_the_equal_modules_of_another() -> None:
    shelf = Shelf()
    registered(shelf, [draft("a")])
    assert registered(shelf, [draft("a"), draft("b")], "projects/p/operations/2") == ["net-a", "net-b"]


@pytest.mark.parametrize("other", [draft("b", digest="b"), draft("b", key="l")], ids=["other bytes", "other work"])
def test_another_module_of_that_name_takes_back_what_was_made(other: Any) -> None:
    shelf = Shelf()
    registered(shelf, [other])
    with pytest.raises(errors.AlreadyExists) as caught:
        registered(shelf, [draft("a"), draft("b")], "projects/p/operations/2")
    assert caught.value.field == "module_id"
    assert list(shelf.kept) == ["net-b"]


def test_a_refusal_takes_back_what_was_made_and_nothing_that_was_there() -> None:
    shelf = Shelf()
    registered(shelf, [draft("a")])
    shelf.full_at = "net-c"
    with pytest.raises(errors.Unavailable):
        registered(shelf, [draft("a"), draft("b"), draft("c")], "projects/p/operations/2")
    assert list(shelf.kept) == ["net-a"]


def test_a_search_that_was_taken_up_with_other_threads_is_recorded_without_their_number() -> None:
    result: SearchResult[FoundModule] = SearchResult(
        modules=(),
        validation_accuracy=1.0,
        base_validation_accuracy=1.0,
        chosen_epoch=0,
        epochs_run=0,
        fell_back=False,
        history=(),
        samples=(1, 1),
    )
    assert _ran_on(torch.device("cpu"), result).threads == torch.get_num_threads()
    assert _ran_on(torch.device("cpu"), replace(result, threads_changed=True)).threads == 0
