"""Texts on the command line that stand for values."""

from __future__ import annotations

import pytest

from modelfoundry.cli.arguments import (
    NewLabelText,
    builder_parameters,
    extents,
    new_label_text,
    split_counts,
    split_list,
    split_numbers,
    tag_map,
)
from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.resource_names import full_parent, short_name
from modelfoundry.errors import InvalidField


def test_lists_may_be_given_at_once_or_one_by_one():
    assert split_list(["a, b", "c"]) == ("a", "b", "c")


def test_numbers_are_read_and_others_refused():
    assert split_numbers("0.5,1", "--mean") == (0.5, 1.0)
    assert split_counts("1,16", "--latency") == (1, 16)
    with pytest.raises(InvalidField, match="--mean"):
        split_numbers("a", "--mean")
    with pytest.raises(InvalidField, match="--latency"):
        split_counts("1.5", "--latency")


@pytest.mark.parametrize("text", ["32x32", "3x32x32x1", "3xax32", "", "-3x32x32"])
def test_extents_that_are_not_three_numbers_are_refused(text):
    with pytest.raises(InvalidField, match="3x32x32"):
        extents(text, 3, "--image")


def test_extents_are_numbers_joined_by_x():
    assert extents("3x32X16", 3, "--image") == (3, 32, 16)


def test_parameters_have_the_types_that_they_look_like():
    parameters = builder_parameters(["width=2", "rate=0.5", "norm=true", "act=relu"])
    assert parameters == {"width": 2, "rate": 0.5, "norm": True, "act": "relu"}
    assert isinstance(parameters["width"], int)


def test_a_parameter_without_a_value_is_refused():
    with pytest.raises(InvalidField):
        builder_parameters(["width"])
    with pytest.raises(InvalidField):
        tag_map(["=x"])


def test_a_project_may_be_given_short():
    assert full_parent("") == "projects/default"
    assert full_parent("team") == full_parent("projects/team") == "projects/team"


def test_names_are_shown_as_short_as_they_can_be_typed():
    assert short_name("projects/default/models/net", "projects/default") == "net"
    assert short_name("projects/other/models/net", "projects/default") == "projects/other/models/net"


@pytest.mark.parametrize("given", [[], ["simcnn", "--arch", "rescnn"]], ids=["none", "two"])
def test_training_needs_one_architecture(cli, given):
    outcome = cli("train", *given, "--data", "digits")
    assert outcome.status == ExitCode.USAGE
    assert "--arch" in outcome.err


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("cat=models/a", NewLabelText("cat", ("models/a",))),
        ("cat=models/a, b", NewLabelText("cat", ("models/a", "b"))),
        ("seven=models/svhn:7@svhn", NewLabelText("seven", ("models/svhn",), "7", "svhn")),
        ("7=models/svhn@svhn", NewLabelText("7", ("models/svhn",), "", "svhn")),
        ("7=models/svhn@live,seven@2:7@svhn", NewLabelText("7", ("models/svhn@live", "seven@2"), "7", "svhn")),
        ("cat=cat@champion:cat", NewLabelText("cat", ("cat@champion",), "cat")),
    ],
)
def test_a_label_of_a_new_task_names_its_sources_and_data(text, read):
    assert new_label_text(text) == read


@pytest.mark.parametrize("text", ["cat", "cat=", "=models/a", "cat=:7@svhn"])
def test_a_label_of_a_new_task_needs_a_name_and_a_source(text):
    with pytest.raises(InvalidField, match="LABEL=SOURCE"):
        new_label_text(text)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "nothing says what to compose"),
        (("a", "b"), "--dataset is missing"),
        (("a", "b", "--dataset", "d", "--labels", "x"), "--labels goes with --patch only"),
        (("a", "--label", "x=b", "--dataset", "d"), "goes neither with models"),
        (("--label", "x=models/b", "--label", "y=models/c@d"), "--dataset is missing"),
    ],
)
def test_compose_says_what_it_lacks_before_it_asks_a_service(cli, arguments, says):
    outcome = cli("compose", *arguments)
    assert outcome.status == ExitCode.USAGE
    assert says in outcome.err
