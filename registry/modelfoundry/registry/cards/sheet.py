"""What a card says, before it is rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from modelfoundry.values.cards import CardFact, CardLimit, CardResult
from modelfoundry.values.figures import FormComparison
from modelfoundry.values.frontiers import Frontier


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement(CardResult):
    """A result, with what the Hub is told besides, and why it may be no better than chance."""

    dataset_digest: str = ""
    chance: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """What the services know of a resource, apart from measurements."""

    summary: str
    """One sentence."""
    labels: Sequence[str]
    """Meaning of every output, in order; of a data set its labels."""
    facts: Sequence[CardFact]
    limits: Sequence[CardLimit]
    algorithm: str = ""
    """What made it."""
    base_models: Sequence[str] = ()
    """Names of models that it was made from."""
    datasets: Sequence[str] = ()
    """Names of data sets that it was made on."""
    forms: FormComparison | None = None
    frontier: Frontier | None = None
    """What the search that made it had to choose from."""
    sample_count: int = 0
    """Of a data set: images in all splits."""


@dataclass(frozen=True, slots=True)
class Owned:
    """What people wrote about a resource."""

    display_name: str = ""
    description: str = ""
    intended_use: str = ""
    license: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that a card says of a resource, before it is rendered."""

    name: str
    etag: str
    owned: Owned
    account: Account
    results: Sequence[Measurement]
    limits: Sequence[CardLimit]
    """Those of the account, and those that follow from results and from what people wrote."""

    @property
    def id(self) -> str:
        """Last segment of the name."""
        return self.name.rpartition("/")[2]

    @property
    def title(self) -> str:
        """The display name, else the id."""
        return self.owned.display_name or self.id
