"""What is given twice is kept twice or refused, and labels with commas can be named."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from safetensors.numpy import save_file
from torchvision.models import ResNet50_Weights
from typer.core import TyperOption

from modelfoundry.cli.arguments import builder_parameters, tag_map
from modelfoundry.cli.command import StrictCommand
from modelfoundry.cli.commands.decompose import _check_problem
from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.main import app, run
from modelfoundry.client.sources.prepare import prepare_dataset
from modelfoundry.errors import InvalidField
from modelfoundry.values.label_lists import labels_in, labels_in_all


def _commands(group: object, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], StrictCommand]]:
    found = []
    for name, one in group.commands.items():  # type: ignore[attr-defined]
        found += _commands(one, (*path, name)) if hasattr(one, "commands") else [((*path, name), one)]
    return found


COMMANDS = _commands(typer.main.get_command(app))


def test_no_command_keeps_the_last_of_several_in_silence() -> None:
    assert len(COMMANDS) > 40
    for path, command in COMMANDS:
        assert isinstance(command, StrictCommand), path


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_an_option_that_takes_one_value_is_refused_twice(
    path: tuple[str, ...], command: StrictCommand, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [one for one in command.params if isinstance(one, TyperOption) and not one.multiple]
    assert options
    for option in options:
        once = [option.opts[0]] if option.is_flag else [option.opts[0], "1"]
        assert run([*path, *once, *once]) == ExitCode.USAGE
        assert f"{option.opts[0]}: it is given twice" in capsys.readouterr().err.replace("'", "")


def test_every_label_of_decompose_is_kept() -> None:
    (label,) = (
        one for path, command in COMMANDS if path == ("decompose",) for one in command.params if one.name == "label"
    )
    assert isinstance(label, TyperOption)
    assert label.multiple
    _check_problem(["horse", "cat"], (), each=False, name="")
    for given, name in ((["horse", "horse"], ""), (["horse", "cat"], "one")):
        with pytest.raises(InvalidField, match=r"given twice|several"):
            _check_problem(given, (), each=False, name=name)


@pytest.mark.parametrize("parse", [tag_map, builder_parameters])
def test_a_key_is_given_once(parse) -> None:
    with pytest.raises(InvalidField, match="'a' is given twice"):
        parse(["a=1", "b=2", "a=3"])


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("horse, cow", ("horse", "cow")),
        ('"tench, Tinca tinca",goldfish', ("tench, Tinca tinca", "goldfish")),
        ('goldfish, "great white shark, white shark"', ("goldfish", "great white shark, white shark")),
        ('["a, b", "c"]', ("a, b", "c")),
        ('"say ""cheese"", please",x', ('say "cheese", please', "x")),
        ("[square],round", ("[square]", "round")),
        ('5" disk,tape', ('5" disk', "tape")),
        ("7", ("7",)),
        (" , ", ()),
        ("", ()),
    ],
)
def test_labels_are_listed_with_commas_in_them(text: str, labels: tuple[str, ...]) -> None:
    assert labels_in(text) == labels


def test_the_thousand_names_of_imagenet_can_be_named_everywhere(tmp_path) -> None:
    names = [
        name if place % 2 else f"{name}, number {place}"  # torchvision's have no commas, ImageNet's synsets have
        for place, name in enumerate(ResNet50_Weights.DEFAULT.meta["categories"])
    ]
    assert len(set(names)) == len(names) == 1000
    as_csv = ",".join(f'"{name}"' for name in names)
    assert labels_in_all([as_csv]) == labels_in_all([json.dumps(names)]) == tuple(names)
    assert labels_in_all([f'"{name}"' for name in names]) == tuple(names)
    tensors = {"images": np.zeros((2, 3, 4, 4), np.uint8), "labels": np.array([0, 999])}
    for text in (as_csv, json.dumps(names)):
        save_file(tensors, tmp_path / "train.safetensors", metadata={"classes": text})
        assert prepare_dataset(tmp_path, tmp_path, (), None).labels == tuple(names)
    save_file(tensors, tmp_path / "train.safetensors")
    assert prepare_dataset(tmp_path, tmp_path, names, None).labels == tuple(names)
