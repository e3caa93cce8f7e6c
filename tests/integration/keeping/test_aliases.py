"""Aliases and versions through a real registry: fifty callers who move one at a time, and the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from blob_backends import LocalBackend

from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.main import run
from modelfoundry.client import Alias, Client, Dataset, Model, Module
from modelfoundry.errors import EtagMismatch, NotFound
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
    return [registry.add_module(f"horse-{seed}", base, dataset, seed) for seed in range(3)]


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


def test_of_fifty_who_expect_the_same_exactly_one_moves_it(registry: Registry, modules: list[Module]) -> None:
    start = modules[2]

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


@pytest.fixture
def cli(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[str, str]]:
    monkeypatch.setenv("MODELFOUNDRY_REGISTRY", registry.stack.endpoints.registry)

    def call(*arguments: str, status: int = ExitCode.OK) -> tuple[str, str]:
        capsys.readouterr()
        found = run(list(arguments))
        captured = capsys.readouterr()
        assert found == status, captured.err
        return captured.out, captured.err

    return call


def test_the_command_line(registry: Registry, modules: list[Module], cli: Callable[..., tuple[str, str]]) -> None:
    registry.client.aliases.set("cli@champion", registry.add_module("cli", *_parts(registry), 200))
    shown, _ = cli("module", "show", "cli@champion", "--json")
    assert json.loads(shown)["name"] == "projects/default/modules/cli"
    moved, _ = cli("module", "alias", "set", "cli@best", "cli@1")
    assert "cli@best stands for cli, version 1" in moved
    assert "cli@best" in cli("module", "alias", "list")[0]
    _, refused = cli("module", "rm", "cli", status=ExitCode.CONFLICT)
    assert "`modelfoundry module alias rm cli@best`" in refused
    cli("module", "alias", "rm", "cli@best", "--expect", "horse-0", status=ExitCode.CONFLICT)
    cli("module", "alias", "rm", "cli@best")
    assert "cli" in cli("module", "alias", "history", "cli@best")[0]
    _, told = cli("module", "rm", "cli", "--cascade", "--yes")
    assert "and the alias modules/cli@champion" in told
    with pytest.raises(NotFound):
        registry.client.modules.get("cli@champion")
