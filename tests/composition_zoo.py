"""What compositions in the catalog are made of."""

from __future__ import annotations

from typing import Any

from modelfoundry.api.registry.v1 import composition_pb2

PARENT = "projects/default"
NAME = f"{PARENT}/compositions/pets"
Task = composition_pb2.Composition


class Zoo:
    """A data set, two models of its labels, and a module of the first."""

    def __init__(self, registry: Any) -> None:
        self.registry = registry
        self.dataset = registry.create_dataset("digits")
        self.net = registry.create_model("net", license="MIT")
        self.twin = registry.create_model("twin", registry.weights(seed=1), license="MIT")
        self.horse = registry.create_module(self.net, self.dataset, "horse")

    def pets(self, **fields: Any) -> Any:
        """Horses of the module, cats of the twin."""
        sources = {"horse": (self.horse, "horse"), "cat": (self.twin, "cat")}
        return self.registry.composition_message(sources, self.dataset, **fields)

    def patch(self, *labels: str, **fields: Any) -> Any:
        """The net with the module's horses."""
        sources = {label: (self.horse if label == "horse" else self.net, label) for label in labels}
        patched: dict[str, Any] = {"task": Task.TASK_PATCH, "base_model": self.net.name, **fields}
        return self.registry.composition_message(sources, self.dataset, **patched)
