"""How often a resource is read: counted on the way to the registry, over all services, jobs and the SDK.

Before resources were read once and handed on, `get` of one registered and one missing label as one exported classifier
read modules 23 times, the model 13 times and the data set 8 times; of four labels 51, 25 and 16 times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from counted_calls import CountedCalls, counted_calls
from foundry import SETTINGS, stocked
from service_stack import NAMES, ServiceStack

from modelfoundry.client import Client, Module, SeamRecipe

QUICK = SeamRecipe(recipe="paper", epochs=1, lr_mask=0.2, alpha=2.0)
IMAGE = [np.zeros((1, 8, 8), np.uint8)]
WAIT = 240
WORKERS = [name for name in NAMES if name != "registry"]


@dataclass(frozen=True)
class Counted:
    """A client of services that reach the registry through a counter, as the client does itself."""

    client: Client
    calls: CountedCalls

    @property
    def reads(self) -> dict[str, int]:
        """How often each resource was read, by `collection/id`."""
        return {name.split("/", 2)[2]: number for (_, name), number in self.calls.reads.items()}

    @property
    def most_reads(self) -> dict[str, int]:
        """The highest number of each collection."""
        most: Counter[str] = Counter()
        for name, number in self.reads.items():
            collection = name.partition("/")[0]
            most[collection] = max(most[collection], number)
        return dict(most)


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    # Jobs in threads of their services: what they read is the same, and no time goes into processes.
    settings = {**SETTINGS, **{f"MODELFOUNDRY_{name.upper()}_EXECUTOR": "inline" for name in WORKERS}}
    stack = ServiceStack(tmp_path_factory.mktemp("counted"), settings)
    try:
        stack.start("registry")
        stack.wait_healthy("registry")
        with counted_calls(stack.endpoints.registry) as calls:
            stack.settings = {
                **settings,
                **{f"MODELFOUNDRY_{name.upper()}_REGISTRY": calls.address for name in WORKERS},
            }
            for name in WORKERS:
                stack.start(name)
            for name in WORKERS:
                stack.wait_healthy(name)
            with Client(replace(stack.endpoints, registry=calls.address)) as client:
                stocked(stack, client)
                yield Counted(client, calls)
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def module(counted: Counted) -> Module:
    return counted.client.decompose("digits-cnn", "digits", label="1", recipe=QUICK).wait(timeout=WAIT)[0]


def test_a_decomposition_reads_model_and_data_once(counted: Counted) -> None:
    counted.calls.forget()
    (made,) = counted.client.decompose("digits-cnn", "digits", label="0", recipe=QUICK).wait(timeout=WAIT)
    assert counted.reads == {"models/digits-cnn": 1, "datasets/digits": 1, f"modules/{made.id}": 1}


def test_a_cold_prediction_reads_twice_and_a_warm_one_nothing(counted: Counted, module: Module) -> None:
    counted.client.aliases.set("one@live", module)
    counted.calls.forget()
    counted.client.predict(module, IMAGE)
    assert counted.reads == {f"modules/{module.id}": 1, "models/digits-cnn": 1}
    assert counted.calls.of("GetBlob") <= 2

    counted.calls.forget()
    counted.client.predict(module, IMAGE)
    assert counted.calls.methods == {}

    counted.calls.forget()
    counted.client.predict("one@live", IMAGE)
    counted.client.predict("one@live", IMAGE)
    assert counted.reads == {"modules/one@live": 1}


def test_a_measurement_of_many_modules_reads_each_twice(counted: Counted, module: Module) -> None:
    modules = list(counted.client.modules.list())
    assert module in modules
    counted.calls.forget()
    measured = counted.client.evaluate(modules, "digits", baselines=True).wait(timeout=WAIT)
    assert len(measured) == 3 * len(modules)
    # By the service, which checks the request, and by the worker.
    assert counted.most_reads == {"modules": 2, "models": 2, "datasets": 2, "evaluations": 1}


@pytest.mark.parametrize("missing", [["2"], ["3", "4", "5"]], ids=["one label", "three labels"])
def test_what_makes_missing_modules_reads_nothing_oftener_the_more_there_are(
    counted: Counted, module: Module, missing: list[str]
) -> None:
    counted.calls.forget()
    labels = [*module.problem.labels, *missing]
    counted.client.request(labels, compose=True, format="safetensors", recipe=QUICK).wait(timeout=WAIT)
    assert counted.most_reads == {"modules": 6, "models": 5, "datasets": 4, "compositions": 4, "evaluations": 1}
    assert counted.reads[f"modules/{module.id}"] == 4
    assert (counted.calls.of("ListModels"), counted.calls.of("ListModules"), counted.calls.of("ListDatasets")) == (
        1,
    ) * 3

    counted.calls.forget()
    again = counted.client.request(labels, compose=True, format="safetensors", recipe=QUICK).wait(timeout=WAIT)
    assert again.composition is not None
    assert counted.most_reads == {"modules": 1, "compositions": 2}


def test_files_of_many_modules_read_their_model_no_oftener_than_those_of_one(counted: Counted) -> None:
    missing = ["6", "7"]
    counted.calls.forget()
    wanted = counted.client.request(missing, format="safetensors", max_latency_ms=60_000, recipe=QUICK)
    assert len(wanted.wait(timeout=WAIT).exports) == len(missing)
    # The model and the data set by the request's job and by the evaluation, which is one for all modules.
    assert counted.most_reads == {"modules": 7, "models": 3, "datasets": 3, "evaluations": 1}
