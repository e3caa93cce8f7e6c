"""What was measured of modules on test splits, as searches say it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from modelfoundry.client import Client, MeasuredSummary

_MOST_TERMS: Final = 50
_MOST_BYTES: Final = 2048
"""What a filter of the registry takes at most."""


def measured_of(client: Client, names: Sequence[str]) -> dict[str, MeasuredSummary]:
    """The best test evaluation of each module, by name; of one that was never measured there is an empty one."""
    found: dict[str, MeasuredSummary] = {}
    for filter_ in _filters(names):
        found |= {result.module.name: result.measured for result in client.search(filter=filter_)}
    return found


def _filters(names: Sequence[str]) -> Iterator[str]:
    """Filters for these modules, each as long as the registry takes it."""
    terms: list[str] = []
    for name in names:
        term = f'name = "{name}"'
        if terms and (len(terms) == _MOST_TERMS or len(" OR ".join([*terms, term])) > _MOST_BYTES):
            yield " OR ".join(terms)
            terms = []
        terms.append(term)
    if terms:
        yield " OR ".join(terms)
