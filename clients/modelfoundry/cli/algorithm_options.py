"""The algorithms and all their settings as options of one command: what an algorithm says of itself is the option."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, StrEnum
from typing import Annotated, Any, Final, get_type_hints

import typer

from modelfoundry.decomposer.algorithms import ALGORITHMS, find_algorithm
from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.algorithms.settings import Setting
from modelfoundry.errors import InvalidField

_REST: Final = inspect.Parameter.VAR_KEYWORD


def with_algorithm_options(body: Callable[..., None]) -> Callable[..., None]:
    """Gives a command `--algorithm` for its `algorithm`, and the settings of all algorithms for its `**settings`.

    Settings that were not given are left out. One that the chosen algorithm lacks is refused before the command runs.
    """

    @functools.wraps(body)
    def run(*args: Any, algorithm: str, **given: Any) -> None:
        chosen = find_algorithm(algorithm) or ALGORITHMS[0]
        settings = {name: _plain(value) for name, value in given.items() if name in owners and value is not None}
        _check_taken(chosen, settings)
        own = {name: value for name, value in given.items() if name not in owners}
        body(*args, algorithm=chosen, **own, **settings)

    owners = _owners()
    hints = get_type_hints(body, include_extras=True)
    parameters = [
        _algorithm_option() if parameter.name == "algorithm" else parameter.replace(annotation=hints[parameter.name])
        for parameter in inspect.signature(body).parameters.values()
        if parameter.kind is not _REST
    ]
    parameters += [_setting_option(name, having) for name, having in owners.items()]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def setting_options(algorithm: Algorithm[Any], *, as_text: str) -> list[inspect.Parameter]:
    """An option for each setting of one algorithm; those whose names end so are texts, whatever they are."""
    return [
        _setting_option(one.name, [(algorithm.name, one)], common=True, as_text=one.name.endswith(as_text))
        for one in algorithm.settings
    ]


def plain_settings(given: Mapping[str, Any], algorithm: Algorithm[Any]) -> dict[str, Any]:
    """The settings of an algorithm that were given, as requests have them."""
    names = {one.name for one in algorithm.settings}
    return {name: _plain(value) for name, value in given.items() if name in names and value is not None}


def check_unused(algorithm: Algorithm[Any], options: Mapping[str, object]) -> None:
    """Checks that options which say nothing to an algorithm were not given.

    Raises:
        InvalidField: one was.
    """
    for option, value in options.items():
        if not (value is None or value is False or value == ""):
            raise InvalidField(
                f"{option} says nothing to --algorithm {algorithm.name}",
                field=option,
                hint="leave it out; `modelfoundry decompose --help` says which options belong to which algorithm",
            )


def _check_taken(algorithm: Algorithm[Any], settings: Mapping[str, Any]) -> None:
    taken = {setting.name for setting in algorithm.settings}
    check_unused(algorithm, {_flag(name): value for name, value in settings.items() if name not in taken})


def _owners() -> dict[str, list[tuple[str, Setting]]]:
    """Setting to the algorithms that have it, in their order."""
    owners: dict[str, list[tuple[str, Setting]]] = {}
    for algorithm in ALGORITHMS:
        for setting in algorithm.settings:
            owners.setdefault(setting.name, []).append((algorithm.name, setting))
    return owners


def _algorithm_option() -> inspect.Parameter:
    choice = _choice("AlgorithmChoice", (one.name for one in ALGORITHMS))
    option = typer.Option("--algorithm", help=" ".join(f"{one.name}: {one.summary}" for one in ALGORITHMS))
    return inspect.Parameter(
        "algorithm",
        inspect.Parameter.KEYWORD_ONLY,
        default=choice(ALGORITHMS[0].name),
        annotation=Annotated[choice, option],
    )


def _setting_option(
    name: str, owners: list[tuple[str, Setting]], *, common: bool = False, as_text: bool = False
) -> inspect.Parameter:
    """One option for the settings of that name: of one type, since it is one option."""
    settings = [setting for _, setting in owners]
    text = settings[0].help
    if len(owners) < len(ALGORITHMS) and not common:
        text = f"{', '.join(algorithm for algorithm, _ in owners)}: {text}"
    option = typer.Option(_flag(name), help=text)
    kind = str if as_text else _type(settings)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _type(settings: list[Setting]) -> Any:
    words = dict.fromkeys(word for setting in settings for word in setting.choices)
    if words:
        return _choice(settings[0].name, words)
    if any(setting.type is str for setting in settings):
        return str
    return float if any(setting.type is float for setting in settings) else int


def _choice(name: str, words: Iterable[str]) -> Any:
    return StrEnum(name, {word.upper(): word for word in words})


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
