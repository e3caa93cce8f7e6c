"""Kinds of resources, and what names say of them."""

from __future__ import annotations

import pytest

from modelfoundry.registry.records.tables import resource_tables
from modelfoundry.values.kinds import Kind, kind_of


def test_every_table_of_resources_is_called_by_its_kind() -> None:
    assert set(resource_tables()) <= set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_a_name_says_of_what_kind_it_is(kind: Kind) -> None:
    assert kind_of(f"projects/default/{kind}/one") is kind
    assert kind_of(f"projects/default/{kind}/one@champion") is kind


@pytest.mark.parametrize(
    "name", ["", "models", "projects/default/models", "projects/default/things/one", "models/one/models/one"]
)
def test_what_names_nothing_that_is_known_is_of_no_kind(name: str) -> None:
    assert kind_of(name) is None
