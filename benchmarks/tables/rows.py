"""One row of a table: a network, a module, all modules of a network, or a small network for comparison."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

CIFAR10: Final = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PUBLIC: Final = "resnet20"
"""The base whose weights are published; the other ones are rows of their own."""

Kind = Literal["network", "module", "modules", "scratch"]


@dataclass(frozen=True, slots=True)
class Row:
    """What is measured."""

    kind: Kind
    """network: trained on CIFAR-10. module: of one label. modules: of all labels in one search. scratch: a small dense
    network that is trained on one label."""
    base: str
    """Name of the network, in the zoo."""
    title: str
    """Of what it is compared by, for example `distilled`."""
    label: str = ""
    algorithm: str = ""
    recipe: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    @property
    def key(self) -> str:
        """Name of its file: readable, and another one where anything differs that its figures depend on."""
        facts = [self.kind, self.base, self.label, self.algorithm, self.recipe, self.seed, dict(self.settings)]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]
        return "-".join(part for part in (self.kind, self.base, self.label, self.title, digest) if part).replace(
            " ", "_"
        )
