"""Where the services are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelfoundry.client import Client, Endpoints, Service, Timeouts, connect, data_directory
from modelfoundry.client._async.client import connect_async
from modelfoundry.client.transfers import TotalProgress, file_in
from modelfoundry.errors import InvalidField, MalformedFile, Unavailable


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODELFOUNDRY_HOME", str(tmp_path))
    for service in Service:
        monkeypatch.delenv(f"MODELFOUNDRY_{service.name}", raising=False)
    return tmp_path


def test_without_anything_the_default_ports_are_taken(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.delenv("MODELFOUNDRY_HOME")
    monkeypatch.setenv("HOME", str(home))
    assert Endpoints.resolve() == Endpoints(
        decomposer="127.0.0.1:50051", evaluator="127.0.0.1:50052", reuser="127.0.0.1:50053", registry="127.0.0.1:50054"
    )


def test_arguments_win_over_the_environment_and_this_over_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = {service.value: f"file:{number}" for number, service in enumerate(Service)}
    (home / "endpoints.json").write_text(json.dumps({**written, "something": "else"}))
    monkeypatch.setenv("MODELFOUNDRY_EVALUATOR", "environment:1")
    monkeypatch.setenv("MODELFOUNDRY_REUSER", "environment:2")
    found = Endpoints.resolve(reuser="argument:1")
    assert found.registry == "file:0"
    assert found.evaluator == "environment:1"
    assert found.reuser == "argument:1"
    assert [found.address(service) for service in Service] == ["file:0", "file:1", "environment:1", "argument:1"]


@pytest.mark.parametrize("folder", ["", "not/made/yet", "a file"])
def test_a_home_without_addresses_never_means_the_default_ports(
    home: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (home / "a file").touch()
    monkeypatch.setenv("MODELFOUNDRY_HOME", str(home / folder))
    for make in (Endpoints.resolve, Client, connect):
        with pytest.raises(Unavailable) as caught:
            make()
        assert str(home / folder / "endpoints.json") in caught.value.message
        assert "modelfoundry up" in caught.value.hint
        assert "MODELFOUNDRY_REGISTRY" in caught.value.hint


def test_what_nothing_names_is_refused_when_it_is_called(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELFOUNDRY_REGISTRY", "environment:1")
    found = Endpoints.resolve(reuser="argument:1")
    assert (found.address(Service.REGISTRY), found.address(Service.REUSER)) == ("environment:1", "argument:1")
    with pytest.raises(Unavailable, match=r"the evaluator listens: .*endpoints\.json is not there") as caught:
        found.address(Service.EVALUATOR)
    assert "MODELFOUNDRY_EVALUATOR" in caught.value.hint
    with Client(found) as client, pytest.raises(Unavailable, match=str(home)):
        client.algorithms()
    with Client(found, timeouts=Timeouts(unary=0.1)) as client:
        health = client.health()[Service.EVALUATOR]
    assert (health.address, health.ready) == ("", False)
    assert "endpoints.json" in health.detail


def test_a_file_that_names_some_services_does_not_give_the_others_default_ports(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".modelfoundry").mkdir()
    (home / ".modelfoundry" / "endpoints.json").write_text('{"registry": "file:1"}')
    monkeypatch.delenv("MODELFOUNDRY_HOME")
    monkeypatch.setenv("HOME", str(home))
    found = Endpoints.resolve()
    assert found.registry == "file:1"
    with pytest.raises(Unavailable, match="does not name it"):
        found.address(Service.REUSER)
    (home / ".modelfoundry" / "endpoints.json").write_text("{}")
    with pytest.raises(Unavailable, match="names none"):
        Endpoints.resolve()


@pytest.mark.parametrize("content", ["", "[]", '{"registry": 1}'])
def test_a_damaged_file_says_what_to_do(home: Path, content: str) -> None:
    (home / "endpoints.json").write_text(content)
    with pytest.raises(InvalidField) as caught:
        Endpoints.resolve()
    assert "modelfoundry up" in caught.value.hint


def test_the_data_directory_is_the_users_own_unless_told(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    assert data_directory() == home
    monkeypatch.delenv("MODELFOUNDRY_HOME")
    assert data_directory() == Path.home() / ".modelfoundry"


async def test_clients_are_made_without_a_call() -> None:
    with connect(registry="nowhere:1") as client:
        assert client.endpoints.registry == "nowhere:1"
    async with connect_async(registry="nowhere:1") as async_client:
        assert async_client.endpoints.registry == "nowhere:1"
    with Client(Endpoints()) as client:
        assert client.endpoints == Endpoints()


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", "", ".", "..", "a\\b"])
def test_a_file_named_by_a_service_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(MalformedFile):
        file_in(tmp_path, name)


def test_a_plain_file_name_is_taken(tmp_path: Path) -> None:
    assert file_in(tmp_path, "model.onnx") == tmp_path / "model.onnx"


def test_progress_of_several_files_is_one() -> None:
    told: list[tuple[int, int]] = []
    progress = TotalProgress(lambda done, total: told.append((done, total)), [10, 5])
    for size in (10, 5):
        each = progress.next()
        assert each is not None
        each(size, size)
    assert told == [(10, 15), (15, 15)]
    assert TotalProgress(None, [1]).next() is None
