"""Lists: pages joined are the whole in order, whatever happens meanwhile, and tokens cannot be made up."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from database_kinds import ONLY_ON_SQLITE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlmodel import delete

from modelfoundry import errors
from modelfoundry.api.registry.v1 import dataset_pb2, evaluation_pb2, model_pb2, module_pb2, provenance_pb2
from modelfoundry.registry.listing.pages import ListRequest
from modelfoundry.registry.listing.tokens import TokenSigner
from modelfoundry.registry.records.tables import ModelRow

START = datetime(2026, 1, 1, tzinfo=UTC)
ORDERS = (
    "",
    "name",
    "name desc",
    "create_time",
    "display_name desc, create_time",
    "display_name, name desc",
    "update_time",
)


def _row(number: int, display_name: str = "", minute: int = 0, project: str = "default") -> ModelRow:
    moment = START + timedelta(minutes=minute, microseconds=minute)
    return ModelRow(
        name=f"projects/{project}/models/m-{number:05}",
        project=project,
        uid=f"{project}-{number}",
        etag='"1"',
        create_time=moment,
        update_time=moment + timedelta(seconds=number % 3),
        display_name=display_name,
        builder="zoo:simcnn",
        channels=1,
        height=8,
        width=8,
        mean=[],
        std=[],
        labels=["a", "b"],
        weights_digest="sha256:" + "0" * 64,
        weights_bytes=0,
        tensors=[],
    )


def _insert(registry: Any, *rows: ModelRow) -> None:
    with registry.database.session() as session:
        session.add_all(rows)


def _list(registry: Any, **request: Any) -> Any:
    return registry.call("ListModels", model_pb2.ListModelsRequest(**{"parent": "projects/default", **request}))


def _key(row: tuple[int, str, int], order_by: str) -> tuple[Any, ...]:
    """Sort key of a row in Python, descending text by its negated characters."""
    number, display_name, minute = row

    def down(text: str) -> tuple[int, ...]:
        return (*(-ord(character) for character in text), 1)

    name, update = f"{number:05}", (minute * 60 + number % 3, minute)
    keys: dict[str, tuple[Any, ...]] = {
        "": (-minute, name),
        "name": (name,),
        "name desc": (-number,),
        "create_time": (minute, name),
        "display_name desc, create_time": (down(display_name), minute, name),
        "display_name, name desc": (display_name, -number),
        "update_time": (update, name),
    }
    return keys[order_by]


ROWS = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["", "a", "ab", "b"]), st.integers(0, 4)),
    unique_by=lambda row: row[0],
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, order_by=st.sampled_from(ORDERS), page_size=st.integers(1, 9))
def test_pages_joined_are_the_whole_list_in_order(registry: Any, rows: Any, order_by: str, page_size: int) -> None:
    with registry.database.session() as session:
        session.exec(delete(ModelRow))
        session.add_all(_row(*row) for row in rows)

    walked = registry.models(order_by=order_by, page_size=page_size)

    expected = [f"m-{row[0]:05}" for row in sorted(rows, key=lambda row: _key(row, order_by))]
    assert walked == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=ROWS,
    newcomers=st.lists(
        st.tuples(st.integers(100, 140), st.sampled_from(["", "a", "ab", "b"]), st.integers(0, 4)),
        unique_by=lambda row: row[0],
        max_size=8,
    ),
    order_by=st.sampled_from(ORDERS),
    page_size=st.integers(1, 5),
)
def test_rows_that_come_while_pages_are_walked_disturb_no_others(
    registry: Any, rows: Any, newcomers: Any, order_by: str, page_size: int
) -> None:
    with registry.database.session() as session:
        session.exec(delete(ModelRow))
        session.add_all(_row(*row) for row in rows)
    waiting = list(newcomers)

    walked: list[str] = []
    token = ""
    while True:
        page = _list(registry, order_by=order_by, page_size=page_size, page_token=token)
        walked += [model.name.rpartition("/")[2] for model in page.models]
        token = page.next_page_token
        if not token:
            break
        if waiting:
            _insert(registry, _row(*waiting.pop()))

    old = {f"m-{row[0]:05}" for row in rows}
    assert [name for name in walked if name in old] == [
        f"m-{row[0]:05}" for row in sorted(rows, key=lambda row: _key(row, order_by))
    ]
    assert len(set(walked)) == len(walked)
    place = {f"m-{row[0]:05}": _key(row, order_by) for row in [*rows, *newcomers]}
    assert walked == sorted(walked, key=lambda name: place[name])


def test_a_page_goes_on_where_a_deleted_row_was(registry: Any) -> None:
    _insert(registry, *(_row(number) for number in range(6)))
    first = _list(registry, order_by="name", page_size=3)
    with registry.database.session() as session:
        session.delete(session.get_one(ModelRow, "projects/default/models/m-00002"))

    second = _list(registry, order_by="name", page_size=3, page_token=first.next_page_token)

    assert [model.name[-1] for model in second.models] == ["3", "4", "5"]
    assert second.next_page_token == ""


def test_page_sizes_are_as_the_contract_says(registry: Any) -> None:
    _insert(registry, *(_row(number) for number in range(1005)))

    assert len(_list(registry).models) == 50
    assert len(_list(registry, page_size=7).models) == 7
    assert len(_list(registry, page_size=1001).models) == 1000
    assert len(_list(registry, page_size=2**31 - 1).models) == 1000
    with pytest.raises(errors.InvalidField) as caught:
        _list(registry, page_size=-1)
    assert caught.value.field == "page_size"


def test_the_page_size_may_change_on_the_way(registry: Any) -> None:
    _insert(registry, *(_row(number) for number in range(6)))
    first = _list(registry, order_by="name", page_size=2)

    rest = _list(registry, order_by="name", page_size=100, page_token=first.next_page_token)

    assert [model.name[-1] for model in rest.models] == ["2", "3", "4", "5"]


def test_projects_do_not_see_each_other(registry: Any) -> None:
    _insert(registry, _row(1), _row(2, project="other"))

    assert [model.name for model in _list(registry, parent="projects/other").models] == [
        "projects/other/models/m-00002"
    ]
    assert registry.models('name:"m-00002" OR name:"m-00001"') == ["m-00001"]


def test_a_page_is_cut_to_what_a_message_carries_and_nothing_is_lost(registry: Any) -> None:
    rows = [_row(number) for number in range(120)]
    for row in rows:
        row.description = "x" * 64 * 1024
    _insert(registry, *rows)

    first = _list(registry, order_by="name", page_size=120)

    assert 1 < len(first.models) < 120
    assert first.ByteSize() < 4 * 1024 * 1024
    assert first.next_page_token
    assert len(registry.models(order_by="name", page_size=120)) == 120


@pytest.mark.parametrize(
    "order_by",
    [
        "uid",
        "name sideways",
        "name desc desc",
        "name,,create_time",
        ",",
        "name, name desc",
        "NAME",
        "name;",
        "x" * 10_000_000,
    ],
)
def test_an_order_that_is_none_is_refused(registry: Any, order_by: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        _list(registry, order_by=order_by)

    assert caught.value.field == "order_by"
    assert caught.value.hint
    assert len(caught.value.message) < 300


def test_a_mistyped_order_is_answered_with_the_near_one(registry: Any) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        _list(registry, order_by="createtime desc")

    assert caught.value.hint == "did you mean create_time?"


@pytest.fixture
def token(registry: Any) -> str:
    _insert(registry, *(_row(number) for number in range(4)))
    found: str = _list(registry, page_size=2, filter="license = ''", order_by="name").next_page_token
    return found


@pytest.mark.parametrize(
    "changed",
    [
        {"filter": ""},
        {"filter": "license = 'x'"},
        {"order_by": "name desc"},
        {"order_by": ""},
        {"parent": "projects/other"},
    ],
)
def test_a_token_fits_no_other_arguments(registry: Any, token: str, changed: dict[str, str]) -> None:
    arguments = {"filter": "license = ''", "order_by": "name", "page_token": token}

    with pytest.raises(errors.InvalidField, match="other arguments") as caught:
        _list(registry, **{**arguments, **changed})

    assert caught.value.field == "page_token"
    assert len(_list(registry, **arguments).models) == 2


def test_a_token_fits_no_other_collection(registry: Any, token: str) -> None:
    own: str = _list(registry, page_size=2).next_page_token
    parent = "projects/default"
    for method, request in (
        ("ListDatasets", dataset_pb2.ListDatasetsRequest(parent=parent, page_token=own)),
        ("ListModules", module_pb2.ListModulesRequest(parent=parent, page_token=own)),
        ("ListEvaluations", evaluation_pb2.ListEvaluationsRequest(parent=parent, page_token=own)),
        ("ListProvenanceEdges", provenance_pb2.ListProvenanceEdgesRequest(parent=parent, page_token=own)),
    ):
        with pytest.raises(errors.InvalidField):
            registry.call(method, request)


def test_a_token_with_any_changed_character_is_refused(registry: Any, token: str) -> None:
    arguments = {"filter": "license = ''", "order_by": "name"}
    for position in range(len(token)):
        other = "A" if token[position] != "A" else "B"
        forged = token[:position] + other + token[position + 1 :]
        if base64.urlsafe_b64decode(forged + "==") == base64.urlsafe_b64decode(token + "=="):
            continue  # the last character has bits that mean nothing
        with pytest.raises(errors.InvalidField, match="not made by this server"):
            _list(registry, page_token=forged, **arguments)


@pytest.mark.parametrize(
    "token", ["x", "====", "é", "\x00", "A" * 10_000_000, base64.urlsafe_b64encode(b"[]" * 40).decode()]
)
def test_a_made_up_token_is_refused(registry: Any, token: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        _list(registry, page_token=token)

    assert caught.value.field == "page_token"


def test_a_token_signed_with_another_key_is_refused(registry: Any) -> None:
    body = json.dumps(["0" * 16, ["a"]]).encode()
    forged = TokenSigner(b"another key").write(["a"], "arguments")

    with pytest.raises(errors.InvalidField, match="not made by this server"):
        _list(registry, page_token=forged)
    with pytest.raises(errors.InvalidField, match="not made by this server"):
        _list(registry, page_token=base64.urlsafe_b64encode(bytes(16) + body).decode().rstrip("="))


def test_tokens_outlive_a_restart(registry: Any, token: str, make_catalog: Any) -> None:
    restarted = make_catalog(registry.url)

    page = restarted.models.list(ListRequest("projects/default", 2, token, "license = ''", "name"))

    assert [row.name[-1] for row in page.rows] == ["2", "3"]


@ONLY_ON_SQLITE
def test_a_page_begins_in_the_middle_of_an_index(registry: Any) -> None:
    """So that deep pages take no longer than shallow ones."""
    _insert(registry, *(_row(number, minute=number) for number in range(50)))
    statements: list[tuple[str, Any]] = []
    event.listen(registry.database.engine, "before_cursor_execute", lambda *args: statements.append((args[2], args[3])))
    first = _list(registry, page_size=10)
    _list(registry, page_size=10, page_token=first.next_page_token)
    statement, parameters = next(pair for pair in reversed(statements) if "LIMIT" in pair[0])
    with registry.database.engine.connect() as connection:
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))

    assert "ix_models_project_create_time_name (project=? AND create_time<?)" in plan
