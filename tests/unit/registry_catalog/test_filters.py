"""The filter language: what it means, what it refuses, and that it cannot be broken out of."""

from __future__ import annotations

import operator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from modelfoundry import errors
from modelfoundry.api.registry.v1 import module_pb2
from modelfoundry.api.types.v1 import architecture_pb2, metrics_pb2
from modelfoundry.registry.listing.syntax import MAX_BYTES, parse_filter


@pytest.fixture
def zoo(registry: Any) -> Any:
    """Four models that differ."""
    dataset = registry.create_dataset("digits")
    registry.create_model(
        "alpha", display_name="First Net", license="MIT", tags={"team": "vision", "year": "2024"}, labels=["cat", "dog"]
    )
    registry.create_model("beta", license="MIT", tags={"team": "speech"}, labels=["horse", "dog"])
    registry.create_model(
        "gamma",
        license="BSD-2-Clause",
        labels=["horse", "cow"],
        architecture=architecture_pb2.Architecture(builder="timm:vit_tiny"),
    )
    registry.create_model("delta", display_name='q"uote 100% _x', labels=["a b", "c"], training_dataset=dataset.name)
    return registry


MEANINGS = {
    "": "alpha beta gamma delta",
    "   ": "alpha beta gamma delta",
    'license = "MIT"': "alpha beta",
    "license = MIT": "alpha beta",
    "license='MIT'": "alpha beta",
    'license != "MIT"': "gamma delta",
    'NOT license = "MIT"': "gamma delta",
    '-license = "MIT"': "gamma delta",
    "license:*": "alpha beta gamma",
    "license:bsd": "gamma",
    'license >= "BSD" license < "C"': "gamma",
    'labels:"horse"': "beta gamma",
    "labels:dog AND license:MIT": "alpha beta",
    'labels:"a b"': "delta",
    'labels:"hor"': "",
    "labels:*": "alpha beta gamma delta",
    'tags.team = "vision"': "alpha",
    'tags.team != "vision"': "beta",
    'NOT tags.team = "vision"': "beta gamma delta",
    "tags.team:*": "alpha beta",
    "tags:year": "alpha",
    "tags:*": "alpha beta",
    "tags.year > 2023": "alpha",
    'labels:"horse" AND tags.team = "speech"': "beta",
    'labels:"horse" tags.team = "speech"': "beta",
    'architecture.builder = "timm:vit_tiny"': "gamma",
    "architecture.builder:digits": "alpha beta delta",
    'name = "projects/default/models/beta"': "beta",
    "name:ALPHA": "alpha",
    'display_name:"first"': "alpha",
    'display_name:"100% _"': "delta",
    'display_name:"%"': "delta",
    'display_name:"_"': "delta",
    r'display_name:"q\"uote"': "delta",
    "training_dataset:digits": "delta",
    'create_time > "2020-01-01T00:00:00Z"': "alpha beta gamma delta",
    "create_time > 2020-01-01T00:00:00Z": "alpha beta gamma delta",
    'create_time < "2020-01-01T00:00:00+02:00"': "",
    # OR binds tighter than AND.
    "name:alpha OR name:beta license:BSD": "",
    "name:alpha OR name:gamma AND license:MIT": "alpha",
    "(name:alpha AND license:MIT) OR name:gamma": "alpha gamma",
    "NOT (name:alpha OR name:beta)": "gamma delta",
    "NOT name:alpha OR name:alpha": "alpha beta gamma delta",
    "-(license:MIT name:alpha)": "beta gamma delta",
}


@pytest.mark.parametrize(("where", "names"), MEANINGS.items(), ids=MEANINGS.keys())
def test_a_filter_means_what_it_says(zoo: Any, where: str, names: str) -> None:
    assert zoo.models(where, "create_time") == names.split()


REFUSED = {
    "horse": "ends too early",
    "license =": "ends too early",
    "license = MIT AND": "ends too early",
    "= MIT": "cannot be read at character 1",
    "license = 'MIT": "cannot be read at character 11",
    "license == MIT": "cannot be read at character 10",
    "(license = MIT": "ends too early",
    "license = MIT)": "cannot be read at character 14",
    "license = AND": "cannot be read at character 11",
    "license ~ MIT": "cannot be read at character 9",
    "license = MIT; DROP TABLE models": "no field 'DROP'|cannot be read",
    "licence = MIT": "no field 'licence'",
    "uid = x": "no field 'uid'",
    "weights_digest = x": "no field 'weights_digest'",
    "license.x = MIT": "license.x has no field 'x'",
    "labels = horse": "labels = 'horse' cannot be compared so",
    "labels.x:horse": "has no field 'x'",
    "tags = vision": "has keys",
    "create_time > yesterday": "is no time",
    "create_time > 2026-01-01": "is no time",
    "create_time > 2026-01-01T00:00:00": "is no time",
    "create_time > 0001-01-01T00:00:00+23:00": "is no time",
    "create_time:2026": "is no time",
    'create_time:"2026-01-01T00:00:00Z"': "has no parts",
    "license = 'a\x00b'": "NUL",
    "a=1 " * 51: "more than 50 terms",
    "(" * 11 + "license:x" + ")" * 11: "nested deeper than 10 levels",
    "(" * 1000 + "license:x" + ")" * 1000: "nested deeper than 10 levels",
    "NOT (" * 9 + "license:x" + ")" * 9: "nested deeper than 10 levels",
    "(" * 2000: "ends too early",
    "license:" + "x" * 10_000_000: "longer than 2048 bytes",
    "license:" + "é" * 1100: "longer than 2048 bytes",
}


@pytest.mark.parametrize(
    ("where", "what"), REFUSED.items(), ids=[where[:30].encode("unicode_escape").decode() for where in REFUSED]
)
def test_a_filter_that_is_none_is_refused_with_a_remedy(registry: Any, where: str, what: str) -> None:
    with pytest.raises(errors.InvalidField, match=what) as caught:
        registry.models(where)

    assert caught.value.field == "filter"
    assert caught.value.hint
    assert len(caught.value.message) < 300


def test_a_mistyped_field_is_answered_with_the_near_one(registry: Any) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        registry.models("licence:MIT")

    assert caught.value.hint == "did you mean license?"


@pytest.mark.parametrize(
    "text",
    [
        "' OR '1'='1",
        "'; DROP TABLE models; --",
        '" OR ""="',
        "x' UNION SELECT name FROM sqlite_master --",
        "%",
        "_",
        "\\",
        "\\'",
        ":name_1",
        "?",
        "%(name)s",
    ],
)
def test_a_value_is_never_part_of_the_question(zoo: Any, text: str) -> None:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    assert zoo.models(f"name = {quoted}") == []
    assert zoo.models(f"labels:{quoted}") == []
    assert zoo.models(f"tags.team = {quoted}") == []
    assert zoo.models(f"license:{quoted}") == []
    assert len(zoo.models(f"name != {quoted}")) == 4


def test_fields_of_modules_are_compared_as_numbers(registry: Any) -> None:
    base, dataset = registry.create_model("net"), registry.create_dataset("digits")
    for name, retention in (("small", 0.05), ("large", 0.5)):
        registry.create_module(base, dataset, name, retention=metrics_pb2.RetentionMetrics(weight_retention=retention))

    def modules(where: str, order_by: str = "weight_retention") -> list[str]:
        request = module_pb2.ListModulesRequest(parent="projects/default", filter=where, order_by=order_by)
        response = registry.call("ListModules", request)
        return [module.name.rpartition("/")[2] for module in response.modules]

    assert modules('labels:"horse" AND weight_retention < 0.2') == ["small"]
    assert modules("weight_retention <= 5e-2") == ["small"]
    assert modules("weight_retention > -1") == ["small", "large"]
    assert modules("size_bytes > 100 size_bytes < 1e6", "weight_retention desc") == ["large", "small"]
    assert modules('base_model = "projects/default/models/net" algorithm = seam dataset:digits') == ["small", "large"]
    assert modules("size_bytes < 99999999999999999999999999") == ["small", "large"]
    for nonsense in ("weight_retention < lots", "weight_retention < NaN", "size_bytes < inf", "size_bytes:5"):
        with pytest.raises(errors.InvalidField):
            modules(nonsense)


# A model of the language: expressions with their meaning as a set of the names in TABLE.
TABLE = {f"m{index}": (f"n{index % 3}", index % 2 == 0) for index in range(7)}
Meaning = frozenset[str]


def _leaf() -> st.SearchStrategy[tuple[str, Meaning]]:
    def build(name: str, sign: str, spaces: str) -> tuple[str, Meaning]:
        compare = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, ">=": operator.ge}[sign]
        meaning = frozenset(key for key, (value, _) in TABLE.items() if compare(value, name))
        return f"display_name{spaces}{sign}{spaces}{name}", meaning

    tagged = frozenset(key for key, (_, even) in TABLE.items() if even)
    return st.one_of(
        st.builds(
            build,
            st.sampled_from(["n0", "n1", "n2"]),
            st.sampled_from(["=", "!=", "<", ">="]),
            st.sampled_from(["", " "]),
        ),
        st.just(('tags.even = "yes"', tagged)),
        st.just(("tags:even", tagged)),
    )


def _grow(inner: st.SearchStrategy[tuple[str, Meaning]]) -> st.SearchStrategy[tuple[str, Meaning]]:
    everything = frozenset(TABLE)
    several = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        inner.map(lambda e: (f"NOT ({e[0]})", everything - e[1])),
        inner.map(lambda e: (f"-({e[0]})", everything - e[1])),
        several.map(lambda es: (" AND ".join(f"({e[0]})" for e in es), frozenset.intersection(*(e[1] for e in es)))),
        several.map(lambda es: ("  ".join(f"({e[0]})" for e in es), frozenset.intersection(*(e[1] for e in es)))),
        several.map(lambda es: (" OR ".join(f"({e[0]})" for e in es), frozenset.union(*(e[1] for e in es)))),
    )


@pytest.fixture
def table(registry: Any) -> Any:
    for key, (display_name, even) in TABLE.items():
        registry.create_model(key, display_name=display_name, tags={"even": "yes"} if even else {})
    return registry


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(expression=st.recursive(_leaf(), _grow, max_leaves=6))
def test_any_expression_selects_the_set_that_it_means(table: Any, expression: tuple[str, Meaning]) -> None:
    text, meaning = expression

    try:
        parse_filter(text)
    except errors.InvalidField:  # too deep or too long: that is tested elsewhere
        return
    assert set(table.models(text)) == meaning


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(st.text(max_size=60), st.text(alphabet="abNOTADR()=!<>:\"'.\\- \n", max_size=60)))
@example("\\")
@example('a="\\')
@example("\ud800=1")
def test_any_text_is_read_or_refused_in_our_words(text: str) -> None:
    refusal: errors.InvalidField | None = None
    try:
        parse_filter(text)
    except errors.InvalidField as error:
        refusal = error
    assert refusal is None or (refusal.field == "filter" and refusal.message.isprintable())


def test_the_longest_filter_is_still_read() -> None:
    text = 'license:"' + "x" * (MAX_BYTES - 10) + '"'

    assert len(text) == MAX_BYTES
    assert parse_filter(text) is not None


def test_a_filter_is_read_by_many_threads_at_once() -> None:
    texts = [f'a{index} = "{index}" AND (b:x OR NOT c = {index})' for index in range(200)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(parse_filter, texts))

    assert together == [parse_filter(text) for text in texts]
