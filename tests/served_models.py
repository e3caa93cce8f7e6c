"""A reuser with a model, a module and a composition of handwritten digits in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from composing_stock import push_digits, push_model, push_module, some_digits
from service_stack import INLINE, ServiceStack, running_stack

from modelfoundry.client import (
    Client,
    Composition,
    CompositionMember,
    CompositionRecord,
    CompositionTask,
    InputSpec,
)

NUMBERS = (0, 1, 2)
KINDS = ("models/a", "projects/default/modules/a-1", "joined")
"""A model, a module and a composition, as clients may name them."""


@dataclass(frozen=True)
class Served:
    """Running services and what can be asked of them."""

    stack: ServiceStack
    client: Client
    images: np.ndarray
    """uint8 [12, 1, 8, 8]."""
    labels: dict[str, tuple[str, ...]]
    """Of the outputs, by the name that the protocol takes."""
    versions: dict[str, str]


@contextmanager
def running_models(folder: Path) -> Iterator[Served]:
    """Services in an empty folder."""
    (folder / "services").mkdir()
    names = ("registry", "reuser")
    with running_stack(folder / "services", INLINE, names=names) as stack, Client(stack.endpoints) as client:
        yield _stocked(folder, stack, client)


def _stocked(folder: Path, stack: ServiceStack, client: Client) -> Served:
    dataset = push_digits(client, folder, "low", NUMBERS)
    model = push_model(client, folder, "a", NUMBERS, epochs=2)
    module = push_module(client, folder, model, dataset, "1", epochs=1)
    other = push_model(client, folder, "b", NUMBERS, seed=1, mean=0.6, epochs=1)
    composition = client.compositions.create(
        Composition(
            task=CompositionTask.NEW_TASK,
            members=(
                CompositionMember(label="zero", source=other.name, source_label="0", scale=0.5, bias=1.0),
                CompositionMember(label="one", source=module.name, source_label="1"),
            ),
            input=InputSpec(1, 8, 8, (0.0,), (1.0,)),
            datasets=(dataset.name,),
            record=CompositionRecord(strategy="per_label"),
        ),
        composition_id="joined",
    )
    test = some_digits("test", NUMBERS).images.numpy()
    return Served(
        stack,
        client,
        np.ascontiguousarray(test[:: len(test) // 12][:12]),
        {"models/a": ("0", "1", "2"), module.name: ("1", "rest"), "joined": ("zero", "one")},
        {"models/a": model.weights.digest, module.name: module.artifact.digest, "joined": composition.digest},
    )


def predicted(served: Served, name: str) -> tuple[np.ndarray, list[str]]:
    """What `Predict` says: probabilities in the order of the labels, and the most probable label of every image."""
    full = "compositions/joined" if name == "joined" else name
    answers = served.client.predict(full, list(served.images))
    columns = [{each.label: each.probability for each in answer.labels} for answer in answers]
    rows = [[column[label] for label in served.labels[name]] for column in columns]
    return np.array(rows, np.float32), [answer.label for answer in answers]
