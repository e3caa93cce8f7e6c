"""A downloaded module at work: onnxruntime and its description are all it needs, no service and no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from modelfoundry.client import LabelProbability


def classify(files: Sequence[Path], image: Path) -> tuple[LabelProbability, ...]:
    """Runs an exported module on a grey image of its size.

    Args:
        files: `model.onnx` and `module.json`, as they were downloaded.
        image: A PNG file.

    Returns:
        All outputs of the module, most probable first.
    """
    import onnxruntime  # only the demo needs it, and it takes a second

    runtime: Any = onnxruntime
    file_by_name = {file.name: file for file in files}
    description = json.loads(file_by_name["module.json"].read_text(encoding="utf-8"))
    session = runtime.InferenceSession(file_by_name[description["file"]], providers=["CPUExecutionProvider"])
    pixels = np.asarray(Image.open(image).convert("L"), dtype=np.float32)[None, None] / 255
    (logits,) = session.run([description["output"]["name"]], {description["input"]["name"]: pixels})
    exponentials = np.exp(logits[0] - logits[0].max())
    probabilities = exponentials / exponentials.sum()
    answers = [
        LabelProbability(label, float(probability))
        for label, probability in zip(description["output"]["labels"], probabilities, strict=True)
    ]
    return tuple(sorted(answers, key=lambda answer: answer.probability, reverse=True))
