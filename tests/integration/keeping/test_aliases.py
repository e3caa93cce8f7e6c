"""Aliases and versions through a real registry: what they stand for, and fifty callers who move one at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from blob_backends import LocalBackend

from modelfoundry.client import Alias, Client, Dataset, Model, Module
from modelfoundry.errors import EtagMismatch, InUse, InvalidField, NotFound
from modelfoundry.registry.blobs.local_store import LocalBlobStore

from .conftest import Registry, running_registry, weights

CALLERS = 50


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("aliases")
    with running_registry(folder / "home", LocalBackend(folder / "blobs", LocalBlobStore(folder / "blobs"))) as running:
        yield running


@pytest.fixture(scope="module")
def modules(registry: Registry) -> list[Module]:
    base, dataset = registry.add_model("net", weights()), registry.add_dataset("digits")
    return [registry.add_module(f"horse-{seed}", base, dataset, seed) for seed in range(6)]


def _parts(registry: Registry) -> tuple[Model, Dataset]:
    return registry.client.models.get("net"), registry.client.datasets.get("digits")


def test_an_alias_stands_for_what_it_was_last_moved_to(registry: Registry, modules: list[Module]) -> None:
    client = registry.client
    made = client.aliases.set("horse@champion", modules[0])
    moved = client.aliases.set("horse@champion", modules[1].id, expected=modules[0])

    assert (made.target, made.version, moved.target, moved.version) == (modules[0].name, 1, modules[1].name, 2)
    assert client.modules.get("horse@champion") == modules[1]
    assert client.modules.get("modules/horse@1") == modules[0]
    assert client.modules.get("projects/default/modules/horse@2") == modules[1]
    assert [alias.name for alias in client.aliases.list()] == ["projects/default/modules/horse@champion"]
    assert [(move.previous_target, move.target) for move in client.aliases.moves()] == [
        (modules[0].name, modules[1].name),
        ("", modules[0].name),
    ]
    client.aliases.delete("horse@champion", expected=modules[1])
    with pytest.raises(NotFound):
        client.modules.get("horse@champion")
    assert next(client.aliases.moves()).target == ""
    assert client.modules.get("horse@2") == modules[1]


def test_the_same_move_again_is_no_move(registry: Registry, modules: list[Module]) -> None:
    registry.client.aliases.set("still@same", modules[5])
    registry.client.aliases.set("still@same", "still@1")
    assert len(list(registry.client.aliases.moves('alias = "projects/default/modules/still@same"'))) == 1
    registry.client.aliases.delete("still@same")


def test_what_an_alias_stands_for_cannot_be_deleted(registry: Registry, modules: list[Module]) -> None:
    doomed = registry.add_module("doomed", *_parts(registry), 300)
    registry.client.aliases.set("doom@live", doomed)
    with pytest.raises(InUse, match="doom@live") as caught:
        registry.client.modules.delete(doomed)
    assert caught.value.metadata["dependents"] == "projects/default/modules/doom@live"

    registry.client.aliases.delete("doom@live")
    registry.client.modules.delete(doomed)
    with pytest.raises(NotFound):
        registry.client.modules.get("doom@1")
    assert registry.client.aliases.add_version("doom", modules[4]).version == 2, "no number is given twice"


def test_models_have_families_of_their_own(registry: Registry, modules: list[Module]) -> None:
    registry.client.aliases.set("models/horse@champion", "net")
    assert registry.client.models.get("horse@champion").id == "net"
    with pytest.raises(NotFound, match="modules/horse@champion"):
        registry.client.modules.get("horse@champion")


def test_wrong_moves_are_refused_and_move_nothing(registry: Registry, modules: list[Module]) -> None:
    aliases = registry.client.aliases
    aliases.set("pony@champion", modules[2])
    with pytest.raises(EtagMismatch) as caught:
        aliases.set("pony@champion", modules[3], expected="")
    assert caught.value.metadata["target"] == modules[2].name
    with pytest.raises(EtagMismatch):
        aliases.delete("pony@champion", expected=modules[3])
    with pytest.raises(InvalidField, match="version 1 of pony"):
        aliases.set("donkey@champion", modules[2])
    with pytest.raises(NotFound, match="nothing-there"):
        aliases.set("pony@champion", "nothing-there")
    for name in ("pony", "pony@3", "pony@Champion", "datasets/pony@champion", "pony@champion@champion"):
        with pytest.raises(InvalidField):
            aliases.set(name, modules[2])
    with pytest.raises(NotFound) as near:
        registry.client.modules.get("pony@champio")
    assert "pony@champion" in near.value.hint
    with pytest.raises(InvalidField):
        registry.client.modules.delete("pony@champion")
    assert registry.client.modules.get("pony@champion") == modules[2]
    assert [version.resource for version in aliases.versions('family = "donkey"')] == []


def test_of_fifty_who_expect_the_same_exactly_one_moves_it(registry: Registry, modules: list[Module]) -> None:
    start = modules[3]

    def move(number: int) -> Alias | None:
        with Client(registry.stack.endpoints) as client:
            try:
                return client.aliases.set("race@winner", start, expected="")
            except EtagMismatch:
                return None

    with ThreadPoolExecutor(CALLERS) as threads:
        won = [alias for alias in threads.map(move, range(CALLERS)) if alias is not None]

    assert len(won) == 1
    assert len(list(registry.client.aliases.moves('alias = "projects/default/modules/race@winner"'))) == 1


def test_fifty_moves_at_once_are_one_chain(registry: Registry) -> None:
    members = [registry.add_module(f"chain-{seed}", *_parts(registry), 100 + seed) for seed in range(4)]
    registry.client.aliases.set("chain@champion", members[0])

    def move(number: int) -> None:
        with Client(registry.stack.endpoints) as client:
            while True:
                now = client.modules.get("chain@champion")
                after = members[(members.index(now) + 1) % len(members)]
                try:
                    client.aliases.set("chain@champion", after, expected=now)
                except EtagMismatch:
                    continue
                return

    with ThreadPoolExecutor(CALLERS) as threads:
        list(threads.map(move, range(CALLERS)))

    moves = list(registry.client.aliases.moves('alias = "projects/default/modules/chain@champion"'))[::-1]
    assert [move.target for move in moves] == [members[place % 4].name for place in range(CALLERS + 1)]
    assert [move.previous_target for move in moves[1:]] == [move.target for move in moves[:-1]]
    versions = {version.resource: version.version for version in registry.client.aliases.versions('family = "chain"')}
    assert sorted(versions.values()) == [1, 2, 3, 4]


def test_the_command_line(registry: Registry, modules: list[Module]) -> None:
    registry.client.aliases.set("cli@champion", registry.add_module("cli", *_parts(registry), 200))
    shown = registry.run("module", "show", "cli@champion", "--json")
    assert json.loads(shown.stdout)["name"] == "projects/default/modules/cli"
    moved = registry.run("module", "alias", "set", "cli@best", "cli@1")
    assert "cli@best stands for cli, version 1" in moved.stdout
    assert "cli@best" in registry.run("module", "alias", "list").stdout
    assert registry.run("module", "alias", "rm", "cli@best", "--expect", "horse-0").returncode == 4
    assert registry.run("module", "alias", "rm", "cli@best").returncode == 0
    assert "cli" in registry.run("module", "alias", "history", "cli@best").stdout
