"""Networks as they compute fastest on this machine's CPU.

Measured over all batch sizes from 1 to 64 (`benchmarks/serving.py` prints it), onnxruntime is faster than PyTorch for
every kind of network of the zoo, most of all for one small image. So the choice is by what can be converted, not by a
clock: the same network always computes in the same way.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import structlog
import torch
from torch import Tensor

from modelfoundry.core.export import ImageClassifier, max_difference
from modelfoundry.errors import ExportMismatch

LARGEST_CONVERTED_BYTES: Final = 1024**3
"""Above that a network is not converted: for a while its weights would be in memory several times."""
_TIMED_RUNS: Final = 5
_INPUT: Final = "images"
_OUTPUT: Final = "logits"

_log = structlog.get_logger(__name__)

Run = Callable[[Tensor], Tensor]
"""Images in [0, 1], float32 [n, channels, height, width], to logits, float32 [n, outputs]. May run in any thread."""


@dataclass(frozen=True, slots=True)
class Runner:
    """A network that is ready to compute."""

    run: Run
    runtime: str
    """`onnxruntime` or `torch`."""
    size_bytes: int
    """Of its weights."""
    seconds_per_image: float
    """One image at a time, the fastest of a few runs: how batches are cut, and not what they compute, depends on it."""


def runner_of(classifier: ImageClassifier, threads: int) -> Runner:
    """Converts a network for onnxruntime and compares the logits; one that cannot be converted runs as it is.

    Args:
        classifier: In evaluation mode, on the CPU.
        threads: That one run may use.
    """
    size = sum(tensor.numel() * tensor.element_size() for tensor in _distinct(classifier))
    run, runtime = _converted(classifier, size, threads)
    return Runner(run, runtime, size, _seconds_per_image(run, classifier))


def _distinct(classifier: ImageClassifier) -> list[Tensor]:
    tensors = [*classifier.parameters(), *classifier.buffers()]
    return list({id(tensor): tensor for tensor in tensors}.values())


def _converted(classifier: ImageClassifier, size: int, threads: int) -> tuple[Run, str]:
    if size <= LARGEST_CONVERTED_BYTES:
        try:
            run = _session(_onnx(classifier), threads)
            max_difference(run, classifier)
        except ExportMismatch as error:
            _log.warning("onnxruntime gives other logits, PyTorch computes", reason=error.message)
        except Exception as error:  # noqa: BLE001 - exporter and runtime raise whatever they like for odd networks
            _log.info("not converted for onnxruntime, PyTorch computes", reason=str(error).partition("\n")[0][:200])
        else:
            return run, "onnxruntime"
    return _without_gradients(classifier), "torch"


def _onnx(classifier: ImageClassifier) -> bytes:
    # By tracing, which takes tenths of a second; `torch.export`, which files are written with, takes several.
    free = {0: "n"}
    with TemporaryDirectory(prefix="modelfoundry-") as folder, warnings.catch_warnings(), torch.inference_mode():
        path = Path(folder, "model.onnx")
        warnings.simplefilter("ignore")
        torch.onnx.export(
            classifier,
            (torch.rand(2, *classifier.input_spec.shape),),
            path,
            dynamo=False,
            input_names=[_INPUT],
            output_names=[_OUTPUT],
            dynamic_axes={_INPUT: free, _OUTPUT: free},
        )
        return path.read_bytes()


def _session(program: bytes, threads: int) -> Run:
    import onnxruntime  # here: it takes a second, and a reuser that only composes and exports needs it later or never

    runtime: Any = onnxruntime
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Threads that spin while they wait take the cores from the other networks and from the server.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = runtime.InferenceSession(program, options, providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        (logits,) = session.run([_OUTPUT], {_INPUT: images.numpy()})
        return torch.from_numpy(logits)

    return run


def _without_gradients(classifier: ImageClassifier) -> Run:
    def run(images: Tensor) -> Tensor:
        with torch.inference_mode():
            logits: Tensor = classifier(images)
        return logits

    return run


def _seconds_per_image(run: Run, classifier: ImageClassifier) -> float:
    image = torch.zeros(1, *classifier.input_spec.shape)
    seconds = []
    for _ in range(_TIMED_RUNS):
        started = time.perf_counter()
        run(image)
        seconds.append(time.perf_counter() - started)
    return min(seconds)
