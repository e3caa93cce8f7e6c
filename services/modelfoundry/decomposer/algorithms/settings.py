"""Settings of algorithms as data: what each is for and which values it takes stands at the field, once.

Nothing here needs torch: the command line makes its options from these classes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from modelfoundry.errors import InvalidField
from modelfoundry.names import near, shortened

Augmentation = Literal["none", "crop", "crop_flip"]
"""How training images are varied: not at all; by random crops after padding; the same and horizontal flips."""

DecidedAugmentation = Literal["auto", "none", "crop", "crop_flip"]
"""The same; `auto`: as much of it as the model bears."""
PrecisionSetting = Literal["auto", "float32", "bfloat16"]
"""Numbers that a search computes in. `auto`: bfloat16 where the processor has instructions for it, else float32."""

_KEY: Final = "setting"


@dataclass(frozen=True, slots=True)
class Limits:
    """Which numbers a setting takes."""

    text: str
    """In words, after `give`: `1 to 10,000`."""
    least: float
    most: float = math.inf
    above: bool = False
    """`least` itself does not fit."""
    or_zero: bool = False
    """0 fits too."""

    def allow(self, value: float) -> bool:
        """Whether a number fits; infinities and NaN never do."""
        if self.or_zero and value == 0:
            return True
        return math.isfinite(value) and self.least <= value <= self.most and not (self.above and value == self.least)


def whole(least: int, most: int, *, or_zero: bool = False) -> Limits:
    """Whole numbers from `least` to `most`, and 0 where it is said."""
    text = f"{least} to {_grouped(most)}"
    return Limits(f"0, or {text}" if or_zero else text, least, most, or_zero=or_zero)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which texts a setting takes."""

    text: str
    """In words, after `give`: `widths such as 16-16-32`."""
    allow: Callable[[str], bool]
    """Whether a text fits."""


ABOVE_ZERO: Final = Limits("a number above 0", 0, above=True)
ZERO_OR_MORE: Final = Limits("a number of 0 or more", 0)
SHARE: Final = Limits("a share above 0 and at most 1", 0, 1, above=True)
PART: Final = Limits("a share from 0 to 1", 0, 1)


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as clients are told of it."""

    name: str
    type: type[int | float | str]
    default: int | float | str
    """The one of the first recipe that has it."""
    help: str
    limits: Limits | None
    """None: a word out of `choices`, or a text of the pattern."""
    choices: tuple[str, ...]
    pattern: Pattern | None = None
    earlier: int | float | str | None = None
    """What a record means that does not name it, because it is older than the setting. None: there is none such."""

    @property
    def allowed(self) -> str:
        """Which values it takes, in words that follow `give`."""
        if self.pattern is not None:
            return self.pattern.text
        return f"one of {', '.join(self.choices)}" if self.limits is None else self.limits.text

    def check(self, value: Any, path: str) -> None:
        """Checks a value.

        Args:
            value: What was given.
            path: Of the settings in the request.

        Raises:
            InvalidField: it is out of range; `path` and the setting's name are the field.
        """
        field = f"{path}.{self.name}"
        fits = value in self.choices if self.pattern is None else isinstance(value, str) and self.pattern.allow(value)
        if self.limits is None and not fits:
            raise InvalidField(
                f"{field}: {shortened(str(value))!r} is not {self.allowed}", field=field, hint=f"give {self.allowed}"
            )
        if self.limits is not None and not self.limits.allow(value):
            raise InvalidField(f"{field}: {value} is out of range", field=field, hint=f"give {self.allowed}")


def setting(default: Any, text: str, limits: Limits | Pattern | None = None, *, earlier: Any = None) -> Any:
    """A field of a settings class.

    Args:
        default: Its value in the recipe.
        text: What it is for, a sentence.
        limits: Which numbers or texts it takes. None: one of the words of its `Literal` type.
        earlier: What records mean that are older than the setting.
    """
    return dataclasses.field(default=default, metadata={_KEY: (text, limits, earlier)})


class Settings:
    """What the settings classes of all algorithms can do. Each is a frozen dataclass of `setting` fields.

    Raises:
        InvalidField: a value is out of range; the field is `<algorithm>.recipe.<setting>`.
    """

    __slots__ = ()
    path: ClassVar[str]
    """Of the settings in a request: `<algorithm>.recipe`."""
    recipe: str
    """Name of the recipe that the settings come from."""
    least_training: ClassVar[int] = 0
    """Training images of every label of a problem that a search needs, where it needs more than one."""
    least_validation: ClassVar[int] = 0
    """The same of validation images."""

    def __post_init__(self) -> None:
        for one in settings_of(type(self)):
            one.check(getattr(self, one.name), self.path)

    def record(self) -> dict[str, Any]:
        """Every setting and the recipe by name: numbers and words."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]  # subclasses are dataclasses


S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, slots=True)
class Recipe(Generic[S]):
    """Settings with a name, and what they are for."""

    settings: S
    description: str


def settings_of(kind: type[Settings]) -> Iterator[Setting]:
    """The settings of a class, in order."""
    types = get_type_hints(kind)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]  # every one is a dataclass
        if _KEY in field.metadata:
            text, limits, earlier = field.metadata[_KEY]
            is_word = get_origin(types[field.name]) is Literal
            yield Setting(
                name=field.name,
                type=str if is_word else types[field.name],
                default=cast("Any", field.default),
                help=text,
                limits=None if isinstance(limits, Pattern) else limits,
                choices=get_args(types[field.name]) if is_word else (),
                pattern=limits if isinstance(limits, Pattern) else None,
                earlier=earlier,
            )


def resolve_recipe(recipes: Mapping[str, Recipe[S]], name: str, overrides: Mapping[str, Any]) -> S:
    """The settings of a recipe with some of them replaced.

    Args:
        recipes: By name.
        name: Of the recipe; empty means the first.
        overrides: Setting to value.

    Raises:
        InvalidField: there is no such recipe or setting, or a value is out of range.
    """
    first = next(iter(recipes.values())).settings
    path = first.path
    name = name or first.recipe
    if name not in recipes:
        similar = near(name, recipes)
        raise InvalidField(
            f"{path}.recipe: there is no recipe {shortened(name)!r}",
            field=f"{path}.recipe",
            hint=f"did you mean {similar[0]}?" if similar else f"use one of {', '.join(recipes)}",
        )
    settable = {one.name for one in settings_of(type(recipes[name].settings))}
    for key in overrides:
        if key not in settable:
            having = [other for other, recipe in recipes.items() if _has(recipe.settings, key)]
            use = f"use one of {', '.join(near(key, settable) or sorted(settable))}"
            raise InvalidField(
                f"{path}.{shortened(key)}: there is no such setting of the recipe {name!r}",
                field=f"{path}.{shortened(key)}",
                hint=f"name the recipe that has it (--recipe {having[0]}), or {use}" if having else use,
            )
    return dataclasses.replace(recipes[name].settings, **overrides)  # type: ignore[type-var]  # every one is a dataclass


def _has(settings: Settings, name: str) -> bool:
    return any(one.name == name for one in settings_of(type(settings)))


def _grouped(number: int) -> str:
    """As the contracts write numbers: `4096`, `10,000`."""
    return f"{number:,}" if number >= 10_000 else str(number)
