"""Predictions over the wire: many callers against one at a time, and one small image against onnxruntime in process."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from interleaved import Ratio
from local_services import services
from safetensors.torch import save_file
from torch import nn

from modelfoundry.client import AsyncClient, Client, Endpoints, Model
from modelfoundry.core.exported import ImageClassifier
from modelfoundry.core.networks import build_network
from modelfoundry.reuser.predicting.runners import runner_of
from modelfoundry.values.architectures import Architecture, InputSpec
from ratios.measurements import Effort, Report

LABELS = tuple("0123456789")
NETWORKS = {"digits_cnn": InputSpec(1, 8, 8), "resnet20": InputSpec(3, 32, 32)}
CALLERS = 64
ALONE, TOGETHER, ROUNDS = 100, 10 * CALLERS, 5


def serving(effort: Effort) -> Report:
    """Wall time of a caller, registry, reuser and caller each in a process of its own."""
    rounds, share = effort.rounds(ROUNDS), 10 if effort.tiny else 1
    callers, one_image, notes = [], [], []
    with services("registry", "reuser") as endpoints:
        for name, spec in NETWORKS.items():
            network = build_network(Architecture(f"zoo:{name}"), len(LABELS), spec).eval()
            push(endpoints, name, network, spec)
            run = runner_of(ImageClassifier(network, spec, LABELS).eval(), threads=1).run
            torch_run = ImageClassifier(network, spec, LABELS).eval()
            image = torch.zeros(1, *spec.shape)
            alone, together, direct, plain, waits = [], [], [], [], []
            for turn in range(rounds + 1):
                seconds = [
                    statistics.median(asyncio.run(latencies(endpoints, name, spec, 1, ALONE // share))),
                    each_of(run, image, ALONE // share),
                    each_of(torch_run, image, ALONE // share),
                ]
                begun = time.perf_counter()
                own = asyncio.run(latencies(endpoints, name, spec, CALLERS, TOGETHER // share))
                of_all = (time.perf_counter() - begun) / len(own)
                if turn:  # the first one warms up
                    alone.append(seconds[0])
                    direct.append(seconds[1])
                    plain.append(seconds[2])
                    together.append(of_all)
                    waits += own
            callers.append(ratio(f"Predict, {name}, {CALLERS} callers", alone, together))
            one_image.append(ratio(f"Predict, {name}, one image", direct, alone))
            notes.append(told(name, alone, together, waits, direct, plain))
    return Report({"callers": tuple(callers), "one-image": tuple(one_image)}, notes=tuple(notes))


def told(
    name: str, alone: list[float], together: list[float], waits: list[float], direct: list[float], plain: list[float]
) -> str:
    half, nearly_all = (1000 * np.percentile(waits, percent) for percent in (50, 99))
    return (
        f"{name}: one caller {1 / statistics.median(alone):.0f} predictions a second, {CALLERS} callers "
        f"{1 / statistics.median(together):.0f}, half wait up to {half:.1f} ms and 99 % {nearly_all:.1f} ms. "
        f"In process onnxruntime takes {1000 * statistics.median(direct):.3f} ms for an image, PyTorch "
        f"{1000 * statistics.median(plain):.3f} ms."
    )


def ratio(work: str, reference: list[float], own: list[float]) -> Ratio:
    faster = [theirs / mine for theirs, mine in zip(reference, own, strict=True)]
    return Ratio(
        work=work,
        way="client and reuser",
        median=statistics.median(faster),
        least=min(faster),
        most=max(faster),
        seconds=statistics.median(own),
        reference_seconds=statistics.median(reference),
    )


def push(endpoints: Endpoints, name: str, network: nn.Module, spec: InputSpec) -> None:
    with Client(endpoints) as client, tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.safetensors")
        save_file(network.state_dict(), path)
        weights = client.blobs.upload(path, "application/vnd.safetensors")
        architecture = Architecture(f"zoo:{name}")
        model = Model(architecture=architecture, input=spec, labels=LABELS, weights=weights)
        client.models.create(model, model_id=name.replace("_", "-"))


async def latencies(endpoints: Endpoints, name: str, spec: InputSpec, callers: int, calls: int) -> list[float]:
    """Seconds of every call, of callers that ask again as soon as they are answered."""
    images, seconds = np.zeros((1, *spec.shape), np.uint8), []
    async with AsyncClient(endpoints) as client:

        async def caller() -> None:
            for _ in range(calls // callers):
                begun = time.perf_counter()
                await client.predict(f"models/{name.replace('_', '-')}", images)
                seconds.append(time.perf_counter() - begun)

        await asyncio.gather(*(caller() for _ in range(callers)))
    return seconds


def each_of(run: Callable[[torch.Tensor], torch.Tensor], image: torch.Tensor, calls: int) -> float:
    seconds = []
    with torch.inference_mode():
        for _ in range(calls):
            begun = time.perf_counter()
            run(image)
            seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)
