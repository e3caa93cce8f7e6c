"""Services with models to compose, and what most tests compose of them; made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import safetensors.numpy
from composing_stock import (
    ANYHOW,
    HIGH,
    LOW,
    PROJECT,
    VALIDATION,
    WAIT,
    Stock,
    push_digits,
    push_model,
    push_module,
    push_untrained,
)
from service_stack import INLINE, running_stack

from modelfoundry.client import Client, ComposedModel, Composition, InputSpec, NewLabel


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    folder = tmp_path_factory.mktemp("composing")
    (folder / "services").mkdir()
    names = ("registry", "evaluator", "reuser")
    with (
        running_stack(folder / "services", INLINE, names=names) as stack,
        Client(stack.endpoints, parent=PROJECT) as client,
    ):
        low = push_digits(client, folder, "low", LOW)
        high = push_digits(client, folder, "high", HIGH)
        push_digits(client, folder, "twoless", LOW, {2: 1})
        a = push_model(client, folder, "a", LOW, seed=0)
        b = push_model(client, folder, "b", LOW, seed=1, mean=0.6)
        push_model(client, folder, "weak", LOW, limits={2: 2}, epochs=6)
        push_untrained(client, folder, "bare", LOW, InputSpec(1, 8, 8, (0.3,), (0.4,)))
        push_untrained(client, folder, "large", LOW, InputSpec(1, 16, 16, (0.3,), (0.4,)))
        push_untrained(client, folder, "coloured", LOW, InputSpec(3, 8, 8))
        push_untrained(client, folder, "stretched", LOW, InputSpec(1, 8, 8, (0.3,), (0.2,)))
        near = InputSpec(1, 8, 8, (0.305,), (0.395,))
        push_module(client, folder, push_untrained(client, folder, "near", LOW, near), low, "0", epochs=1)
        for model in (a, b):
            for label in model.labels:
                push_module(client, folder, model, low, label)
        push_module(client, folder, push_model(client, folder, "high", HIGH), high, "3")
        images = {}
        for dataset in (low, high):
            test = next(split for split in dataset.splits if split.split == "test")
            path = client.blobs.download(test.content, folder / f"{dataset.id}-test.safetensors")
            images[dataset.id] = safetensors.numpy.load_file(path)["images"]
        yield Stock(client, images)


@pytest.fixture(scope="session")
def composed(stock: Stock) -> ComposedModel:
    job = stock.client.compose(["a", "b"], "low", validation=VALIDATION, composition_id="better", **ANYHOW)
    return job.wait(timeout=WAIT)


@pytest.fixture(scope="session")
def composition(composed: ComposedModel) -> Composition:
    return composed.composition


@pytest.fixture(scope="session")
def mixed(stock: Stock) -> Composition:
    """Two labels of low digits and one of high ones."""
    labels = [
        NewLabel(label="zero", source_label="0", sources=["models/a"]),
        NewLabel(label="three", source_label="3", sources=["high-3"], dataset="high"),
        NewLabel(label="one", source_label="1", sources=["models/b"]),
    ]
    job = stock.client.compose_labels(labels, "low", validation=VALIDATION, composition_id="mixed")
    return job.wait(timeout=WAIT).composition
