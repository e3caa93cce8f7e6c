"""A stack of the four services with a small trained model in it, for tests of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from service_stack import ServiceStack, running_stack

from modelfoundry.client import Client, Dataset, Model, SeamRecipe, TrainingRecipe

QUICK = SeamRecipe(recipe="paper", epochs=8, lr_mask=0.2, alpha=2.0)
"""Enough epochs to drop weights; not enough to be good."""
SETTINGS = {
    "MODELFOUNDRY_DECOMPOSER_CHECKPOINT_SECONDS": "0",
    "MODELFOUNDRY_DECOMPOSER_SLOTS": "2",
    # Two threads wait for each other more than they compute, on networks as small as these.
    "MODELFOUNDRY_EVALUATOR_THREADS_PER_JOB": "1",
    "MODELFOUNDRY_REUSER_THREADS_PER_JOB": "1",
}


@dataclass(frozen=True)
class Foundry:
    """Running services, a client of them, and what is in them."""

    stack: ServiceStack
    client: Client
    dataset: Dataset
    model: Model

    @property
    def project(self) -> str:
        """`projects/{project}` of everything in it."""
        return self.model.name.partition("/models/")[0]


def stocked(stack: ServiceStack, client: Client) -> Foundry:
    """Pushes the digits and trains a small network on them."""
    dataset = client.datasets.push("digits", dataset_id="digits")
    job = client.train("zoo:digits_cnn", dataset, recipe=TrainingRecipe(epochs=3), model_id="digits-cnn")
    return Foundry(stack, client, dataset, job.wait(timeout=240).model)


@contextmanager
def running_foundry(folder: Path, settings: dict[str, str]) -> Iterator[Foundry]:
    """The whole system in an empty folder, with a data set and a model in it."""
    with running_stack(folder, {**SETTINGS, **settings}) as stack, Client(stack.endpoints) as client:
        yield stocked(stack, client)
