"""What the registry signed, what checking it found, and what repeating a decomposition gave, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from modelfoundry.values.computing import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What was signed about a module or composition.

    Attributes:
        name: The resource.
        envelope: A DSSE envelope with an in-toto statement, as JSON. Empty: the resource is unsigned, it was registered
            before statements were made.
        key_ids: Keys that are said to have signed it.
        sign_time: When; None when it is unsigned.
    """

    name: str
    envelope: str = ""
    key_ids: tuple[str, ...] = ()
    sign_time: datetime | None = None

    @property
    def signed(self) -> bool:
        """Whether there is a statement."""
        return bool(self.envelope)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A public key that the registry signs with (`current`) or signed with once; `public_key` is PEM."""

    key_id: str
    public_key: str
    create_time: datetime | None = None
    current: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked: what, whether it is as it should be, and why (not)."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    """Everything that was checked of a module or composition."""

    resource: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether every check went well."""
        return all(check.ok for check in self.checks)


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """A tensor in which a module and what its record gives are not equal: `differing` of `entries`."""

    tensor: str
    differing: int
    entries: int


@dataclass(frozen=True, slots=True)
class EnvironmentChange:
    """What ran in another version, or on another machine, than the record says."""

    what: str
    recorded: str
    current: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """Result of repeating a decomposition. `equal`, bit by bit, is promised only where `changes` is empty."""

    module: str
    equal: bool
    differences: tuple[TensorDifference, ...] = ()
    mask_entries: int = 0
    environment: Environment = field(default_factory=Environment)
    changes: tuple[EnvironmentChange, ...] = ()
