"""Networks in memory: loaded once, by the bytes of their weights, and computed by what computes them fastest."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
import torch
from torch import nn

from modelfoundry.core.export import ExportSubject
from modelfoundry.core.exported import ImageClassifier
from modelfoundry.errors import NotFound, Overloaded
from modelfoundry.reuser.predicting.batching import Batching, Turns
from modelfoundry.reuser.predicting.predictor import Predictor
from modelfoundry.reuser.predicting.runners import runner_of
from modelfoundry.reuser.predicting.serving import Load, ServedNetworks
from modelfoundry.reuser.subjects import LoadedSubject
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.resources import BlobRef, Model
from modelfoundry.workbench.resources import Subject, digest_of

SPEC = InputSpec(1, 2, 2)


def model(name: str, digest: str = "sha256:0") -> Model:
    return Model(
        name=f"projects/default/models/{name}",
        architecture=Architecture("zoo:simcnn"),
        input=SPEC,
        labels=("a", "b"),
        weights=BlobRef(digest, 0),
    )


class Loads:
    """Loads networks of 40 bytes (a linear layer, and what normalises), and notes which."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, subject: Subject) -> LoadedSubject:
        assert self.gate.wait(30)
        self.names.append(f"{subject.name.rpartition('/')[2]} {digest_of(subject)}")
        if subject.name.endswith("gone"):
            raise NotFound("it is gone")
        network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False)).eval()
        subject_ = ExportSubject(network, ("a", "b"), Architecture("zoo:simcnn"), 2, SPEC, "sha256:0")
        return LoadedSubject(subject_, digest_of(subject))


def served(load: Load, limit: int) -> ServedNetworks:
    return ServedNetworks(load, limit, 1, Turns(1), Batching())


def test_a_network_is_loaded_once_however_many_wait_for_it() -> None:
    loads = Loads()

    async def calls() -> None:
        networks = served(loads, 1000)
        loads.gate.clear()
        waiting = [asyncio.create_task(networks.of(model("m"))) for _ in range(20)]
        await asyncio.sleep(0.01)
        waiting.pop().cancel()  # the others go on waiting
        loads.gate.set()
        found = await asyncio.gather(*waiting)
        assert {id(network) for network in found} == {id(await networks.of(model("m")))}

    asyncio.run(calls())
    assert loads.names == ["m sha256:0"]


def test_the_least_recently_used_makes_room_for_bytes() -> None:
    loads = Loads()

    async def calls() -> None:
        networks = served(loads, 100)
        for name in ("a", "b", "a", "c", "a", "b"):
            await networks.of(model(name))
        assert networks.size_bytes == 80

    asyncio.run(calls())
    assert [name.partition(" ")[0] for name in loads.names] == ["a", "b", "c", "b"]


def test_a_network_larger_than_all_room_is_kept_alone() -> None:
    loads = Loads()

    async def calls() -> None:
        networks = served(loads, 0)
        await networks.of(model("a"))
        await networks.of(model("a"))

    asyncio.run(calls())
    assert len(loads.names) == 1


def test_another_digest_is_another_network() -> None:
    loads = Loads()

    async def calls() -> None:
        networks = served(loads, 1000)
        assert (await networks.of(model("m"))).digest == "sha256:0"
        assert (await networks.of(model("m", "sha256:1"))).digest == "sha256:1"
        assert networks.size_bytes == 40

    asyncio.run(calls())


def test_what_cannot_be_loaded_is_tried_again() -> None:
    loads = Loads()

    async def calls() -> None:
        networks = served(loads, 1000)
        for _ in range(2):
            with pytest.raises(NotFound):
                await networks.of(model("gone"))

    asyncio.run(calls())
    assert len(loads.names) == 2


def test_what_there_is_no_room_for_is_refused_before_it_is_decoded() -> None:
    async def calls() -> None:
        predictor = Predictor(served(Loads(), 1000), most_waiting_bytes=40)
        network = await predictor.network(model("m"))
        with predictor.room(1024, network, field="images"):  # alone it may be larger
            with pytest.raises(Overloaded) as caught, predictor.room(1, network, field="images"):
                pass
            assert caught.value.field == "images"
            assert "WAITING_BYTES" in caught.value.hint
        with predictor.room(5, network, field="images"), predictor.room(5, network, field="images"):
            pass

    asyncio.run(calls())


def classifier(network: nn.Module) -> ImageClassifier:
    return ImageClassifier(network, SPEC, ("a", "b")).eval()


class Branching(nn.Module):
    """Goes another way for one image, which tracing does not see."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        flat = images.flatten(1)
        return flat[:, :2] if len(images) > 1 else flat[:, 2:]


class Odd(nn.Module):
    """Nothing that onnxruntime has."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvalsh(images[:, 0] + images[:, 0].mT)


def trained_like() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))


@pytest.mark.parametrize(
    ("make", "runtime"),
    [
        pytest.param(trained_like, "onnxruntime", id="convertible"),
        pytest.param(Branching, "torch", id="converted, but to something else"),
        pytest.param(Odd, "torch", id="not convertible"),
    ],
)
def test_a_network_computes_its_own_logits_whatever_runs_it(make: Callable[[], nn.Module], runtime: str) -> None:
    network = classifier(make())
    runner = runner_of(network, threads=1)
    assert runner.runtime == runtime
    images = torch.rand(7, *SPEC.shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = network(images)
    torch.testing.assert_close(runner.run(images), expected, rtol=1e-5, atol=1e-5)
