"""ONNX files as programs: run by onnxruntime on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor

INPUT_NAME: Final = "images"
OUTPUT_NAME: Final = "logits"


def onnx_session(content: bytes, threads: int) -> Any:
    """A session of onnxruntime on one file.

    Args:
        content: The file.
        threads: Of the CPU, 1 or more; with 1 all work is done by the thread that calls.
    """
    import onnxruntime  # only exports need it, and it takes a second

    runtime: Any = onnxruntime
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def onnx_program(content: bytes) -> Callable[[Tensor], Tensor]:
    """What an exported ONNX file computes: float32 images in [0, 1] to logits, on as many threads as torch has."""
    session = onnx_session(content, torch.get_num_threads())
    return lambda images: torch.from_numpy(session.run([OUTPUT_NAME], {INPUT_NAME: images.numpy()})[0])
