"""Networks of `specialise` at a fifth of the multiply-accumulates, beside their base: slim ONNX files, one thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from interleaved import interleaved, ratios
from tables.material import CPU, SPEC
from tables.measuring import Place
from tables.rows import CIFAR10, PUBLIC, Row
from torch import nn

from modelfoundry.core.export import ImageClassifier, compute_in_int8, onnx_of
from modelfoundry.core.export.sessions import INPUT_NAME, OUTPUT_NAME, onnx_session
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, materialise
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.searching import SearchTask
from modelfoundry.decomposer.algorithms.specialise import SPECIALISE
from modelfoundry.values.architectures import Architecture
from modelfoundry.values.problems import BinaryProblem
from ratios.cifar10 import resnet20
from ratios.measurements import Effort, Report

PROBLEM: Final = BinaryProblem("horse")
SHARE: Final = 0.2
BATCHES: Final = (1, 16)
CALIBRATION: Final = 256


def specialised(effort: Effort) -> Report:
    """The structure that the search takes at a fifth of the multiply-accumulates, not trained: times are the same."""
    place = resnet20(effort, synthetic=True)
    base = place.base(Row("module", PUBLIC, ""))
    network = _network(base, place)
    calibration = place.images.train.images[:CALIBRATION]
    files = {"reference": _onnx(base, CIFAR10), "float32": _onnx(network, PROBLEM.outputs)}
    files["int8"] = compute_in_int8(files["float32"], calibration)
    files["the whole base in int8"] = compute_in_int8(files["reference"], calibration)
    found = []
    for batch in BATCHES:
        passes = 1 if effort.tiny else 160 // batch
        ways = {name: _passes(content, batch, passes) for name, content in files.items()}
        found += ratios(f"{PUBLIC}, {passes} passes of batch {batch}", interleaved(ways, effort.rounds(9)))
    own = tuple(one for one in found if one.way in {"float32", "int8"})
    sizes = ", ".join(f"{name} {len(content):,} bytes" for name, content in files.items())
    note = (
        f"`--max-macs {SHARE} --compute fp32`, the structure alone, without steps of learning; "
        "`python benchmarks/specialise.py` measures accuracies. The reference is the base's float32 file in "
        f"onnxruntime. Files: {sizes}."
    )
    return Report({"specialise": own}, tuple(one for one in found if one not in own), (note,))


def _network(base: nn.Module, place: Place) -> nn.Module:
    (found,) = SPECIALISE.search(
        SearchTask(
            network=base,
            architecture=Architecture(f"zoo:{PUBLIC}"),
            labels=CIFAR10,
            problems=(PROBLEM,),
            train=place.images.train,
            validation=place.images.validation,
            input_spec=SPEC,
            settings=SPECIALISE.resolve("", {"max_macs": SHARE, "seconds": 0.0, "compute": "fp32"}),
            seed=0,
            device=CPU,
            monitor=Unwatched(),
        )
    ).modules
    parts = (found.masks, found.head, SPECIALISE.name, RewrittenTensors(found.rewritten), found.cuts, found.operations)
    return materialise(base, ModuleArtifact(f"sha256:{'0' * 64}", PROBLEM, *parts))


def _onnx(network: nn.Module, outputs: tuple[str, ...]) -> bytes:
    return onnx_of(ImageClassifier(network, SPEC, outputs).eval())


def _passes(content: bytes, batch: int, count: int) -> Callable[[], object]:
    session = onnx_session(content, threads=1)
    images = np.random.default_rng(0).random((batch, *SPEC.shape), dtype=np.float32)

    def run() -> None:
        for _ in range(count):
            session.run([OUTPUT_NAME], {INPUT_NAME: images})

    return run
