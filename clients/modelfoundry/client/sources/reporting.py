"""Tells people what became of what they pointed at."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from modelfoundry.client.sources.prepared import SourceReport


def report(found: SourceReport, on_report: Callable[[SourceReport], None] | None) -> None:
    """Hands a report to whoever wants it; else warns where there is something to say."""
    if on_report is not None:
        on_report(found)
    elif lines := found.lines():
        warnings.warn("; ".join(lines), UserWarning, stacklevel=2)
