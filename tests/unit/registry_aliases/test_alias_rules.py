"""What aliases and versions stand for, who may move them, what is told of it, and what a deletion does to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from catalog_rows import CatalogRows, named
from sqlmodel import col, select

from modelfoundry import errors
from modelfoundry.api.registry.v1 import (
    alias_service_pb2,
    composition_pb2,
    dataset_pb2,
    model_pb2,
    module_pb2,
    provenance_pb2,
)
from modelfoundry.registry.aliases.aliases import Aliases
from modelfoundry.registry.aliases.servicer import AliasServicer
from modelfoundry.registry.records.event_tables import EventRow

CHAMPION = named("modules", "horse@champion")


class Service:
    """Aliases over the rows of a catalog."""

    def __init__(self, rows: CatalogRows) -> None:
        self._rows = rows
        self._servicer = AliasServicer(Aliases(rows.shelf))

    def close(self) -> None:
        self._servicer.close()

    def call(self, method: str, request: Any) -> Any:
        return asyncio.run(getattr(self._servicer, method)(request, None))

    def set(self, name: str, target: str, expected: str | None = None) -> Any:
        request = alias_service_pb2.SetAliasRequest(name=name, target=target, expected_target=expected)
        return self.call("SetAlias", request)

    def delete(self, name: str, expected: str | None = None) -> None:
        self.call("DeleteAlias", alias_service_pb2.DeleteAliasRequest(name=name, expected_target=expected))

    def names(self) -> list[str]:
        request = alias_service_pb2.ListAliasesRequest(parent="projects/default")
        return [alias.name for alias in self.call("ListAliases", request).aliases]

    def moves(self, alias: str) -> list[tuple[str, str]]:
        """From what to what, newest first."""
        request = alias_service_pb2.ListAliasMovesRequest(parent="projects/default", filter=f'alias = "{alias}"')
        return [(move.previous_target, move.target) for move in self.call("ListAliasMoves", request).moves]

    def add_version(self, family: str, resource: str) -> int:
        request = alias_service_pb2.AddVersionRequest(family=family, resource=resource)
        number: int = self.call("AddVersion", request).version
        return number

    def module(self, name: str) -> str:
        """The own name of a module."""
        found: str = self._rows.call("GetModule", module_pb2.GetModuleRequest(name=name)).name
        return found

    def events(self) -> list[tuple[str, str, str]]:
        """Kind, resource and alias of what was told of aliases and deletions."""
        kinds = ("aliased", "unaliased", "deleted")
        with self._rows.database.read_session() as session:
            told = session.exec(select(EventRow).where(col(EventRow.kind).in_(kinds)).order_by(col(EventRow.sequence)))
            return [(event.kind, event.resource, event.alias) for event in told]


@pytest.fixture
def service(rows: CatalogRows) -> Iterator[Service]:
    service = Service(rows)
    yield service
    service.close()


@pytest.fixture
def modules(rows: CatalogRows) -> list[str]:
    dataset = rows.dataset("digits")
    model = rows.model("net", dataset)
    return [rows.module(f"horse-{number}", model, dataset) for number in range(3)]


def test_an_alias_stands_for_what_it_was_last_moved_to(service: Service, modules: list[str]) -> None:
    made = service.set(CHAMPION, modules[0])
    moved = service.set(CHAMPION, modules[1], expected=modules[0])

    assert (made.target, made.version, moved.target, moved.version) == (modules[0], 1, modules[1], 2)
    assert service.module(CHAMPION) == modules[1]
    assert service.module(named("modules", "horse@1")) == modules[0]
    assert service.moves(CHAMPION) == [(modules[0], modules[1]), ("", modules[0])]
    service.delete(CHAMPION, expected=modules[1])
    with pytest.raises(errors.NotFound):
        service.module(CHAMPION)
    assert service.moves(CHAMPION)[0] == (modules[1], "")
    assert service.module(named("modules", "horse@2")) == modules[1]


def test_the_same_move_again_is_no_move_and_no_event(service: Service, modules: list[str]) -> None:
    service.set(CHAMPION, modules[0])
    service.set(CHAMPION, named("modules", "horse@1"))
    assert service.moves(CHAMPION) == [("", modules[0])]
    assert service.events() == [("aliased", modules[0], CHAMPION)]


def test_every_move_is_an_event_of_what_the_alias_names_now(service: Service, modules: list[str]) -> None:
    service.set(CHAMPION, modules[0])
    service.set(CHAMPION, modules[1])
    service.delete(CHAMPION)
    assert service.events() == [
        ("aliased", modules[0], CHAMPION),
        ("aliased", modules[1], CHAMPION),
        ("unaliased", modules[1], CHAMPION),
    ]


def test_a_refused_move_is_no_event(service: Service, modules: list[str]) -> None:
    with pytest.raises(errors.EtagMismatch):
        service.set(CHAMPION, modules[0], expected=modules[1])
    assert service.events() == []


def test_models_modules_and_compositions_have_families_of_their_own(
    rows: CatalogRows, service: Service, modules: list[str]
) -> None:
    model = named("models", "net")
    farm = rows.composition("farm", modules[0], model, named("datasets", "digits"))
    service.set(named("models", "horse@live"), model)
    service.set(named("compositions", "horse@live"), farm)

    request = composition_pb2.GetCompositionRequest(name=named("compositions", "horse@live"))
    assert rows.call("GetComposition", request).name == farm
    assert rows.call("GetModel", model_pb2.GetModelRequest(name=named("models", "horse@1"))).name == model
    with pytest.raises(errors.NotFound, match="modules/horse@live"):
        service.module(named("modules", "horse@live"))
    with pytest.raises(errors.InvalidField) as caught:
        service.set(named("datasets", "horse@live"), named("datasets", "digits"))
    assert "models, modules, compositions" in caught.value.hint


def test_wrong_moves_are_refused_and_move_nothing(service: Service, modules: list[str]) -> None:
    service.set(CHAMPION, modules[0])
    with pytest.raises(errors.EtagMismatch) as caught:
        service.set(CHAMPION, modules[1], expected="")
    assert caught.value.metadata["target"] == modules[0]
    with pytest.raises(errors.EtagMismatch):
        service.delete(CHAMPION, expected=modules[1])
    with pytest.raises(errors.InvalidField, match="version 1 of horse"):
        service.set(named("modules", "donkey@champion"), modules[0])
    with pytest.raises(errors.NotFound, match="nothing-there"):
        service.set(CHAMPION, named("modules", "nothing-there"))
    with pytest.raises(errors.InvalidField):
        service.set(CHAMPION, named("models", "net"))
    for last in ("horse", "horse@3", "horse@Champion", "horse@champion@champion"):
        with pytest.raises(errors.InvalidField):
            service.set(named("modules", last), modules[1])
    with pytest.raises(errors.NotFound) as near:
        service.module(named("modules", "horse@champio"))
    assert "horse@champion" in near.value.hint
    assert service.module(CHAMPION) == modules[0]
    assert service.names() == [CHAMPION]


def test_what_an_alias_stands_for_is_not_deleted_alone(rows: CatalogRows, service: Service, modules: list[str]) -> None:
    service.set(CHAMPION, modules[0])
    with pytest.raises(errors.InUse, match="horse@champion") as caught:
        rows.call("DeleteModule", module_pb2.DeleteModuleRequest(name=modules[0]))
    assert caught.value.metadata["dependents"] == CHAMPION
    assert "`modelfoundry module alias rm horse@champion`" in caught.value.hint
    with pytest.raises(errors.InvalidField):
        rows.call("DeleteModule", module_pb2.DeleteModuleRequest(name=CHAMPION, cascade=True))

    service.delete(CHAMPION)
    rows.call("DeleteModule", module_pb2.DeleteModuleRequest(name=modules[0]))
    with pytest.raises(errors.NotFound):
        service.module(named("modules", "horse@1"))
    assert service.add_version(named("modules", "horse"), modules[1]) == 2, "no number is given twice"


def test_aliases_go_with_a_cascade_that_says_so_and_tells_of_it(
    rows: CatalogRows, service: Service, modules: list[str]
) -> None:
    kept = named("models", "other@live")
    live = named("models", "net@live")
    service.set(kept, rows.model("other"))
    service.set(live, named("models", "net"))
    service.set(CHAMPION, modules[0])

    request = provenance_pb2.ListDependentsRequest(name=live)
    assert list(rows.call("ListDependents", request).aliases) == [live, CHAMPION]
    rows.call("DeleteDataset", dataset_pb2.DeleteDatasetRequest(name=named("datasets", "digits"), cascade=True))

    assert service.names() == [kept]
    assert service.moves(CHAMPION)[0] == (modules[0], "")
    told = service.events()[3:]
    assert ("unaliased", modules[0], CHAMPION) in told
    assert told.index(("unaliased", modules[0], CHAMPION)) < told.index(("deleted", modules[0], ""))
    assert ("unaliased", named("models", "net"), live) in told


def test_lineage_is_that_of_what_an_alias_stands_for(rows: CatalogRows, service: Service, modules: list[str]) -> None:
    service.set(CHAMPION, modules[1])
    lineage = rows.call("GetLineage", provenance_pb2.GetLineageRequest(name=CHAMPION))
    assert lineage.nodes[0].name == modules[1]
    assert lineage == rows.call("GetLineage", provenance_pb2.GetLineageRequest(name=modules[1]))
    for wrong in ("horse@", "@champion", "horse@champion@2"):
        with pytest.raises(errors.InvalidField):
            rows.call("GetLineage", provenance_pb2.GetLineageRequest(name=named("modules", wrong)))
    with pytest.raises(errors.NotFound):
        rows.call("GetLineage", provenance_pb2.GetLineageRequest(name=named("modules", "horse@other")))
