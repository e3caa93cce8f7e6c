"""Writes a folder for the Hub: all of it or nothing."""

from __future__ import annotations

import dataclasses
import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final

from modelfoundry import pictures
from modelfoundry.client.hub.computation import shown_computation
from modelfoundry.client.hub.content import (
    CONFIG_FILE,
    DESCRIPTION_FILE,
    EXAMPLE_FILE,
    ONNX_FILE,
    PICTURE_FILE,
    README_FILE,
)
from modelfoundry.errors import AlreadyExists, MalformedFile
from modelfoundry.values.cards import Card
from modelfoundry.values.exports import Export
from modelfoundry.values.file_forms import WeightFormat

CHANNELS: Final = (1, 3, 4)
"""What the files of pictures give."""
EXAMPLE: Final = """\
# Classifies an image: python example.py IMAGE. Needs numpy, onnxruntime and pillow, and nothing of ModelFoundry.
import json, sys
from pathlib import Path
import numpy as np, onnxruntime
{imports}folder = Path(__file__).parent
config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
{image}
session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
logits = session.run(None, {{"images": pixels[None] / np.float32(255)}})[0][0]
probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
print(config["output"]["labels"][logits.argmax()], f"{{probabilities.max():.4f}}")
"""
OF_A_FILE: Final = """\
pixels = decode(sys.argv[1], {channels}, {height}, {width}).pixels.astype(np.float32)  # 0 to 255"""
DECODER: Final = (
    "from picture import decode  # picture.py, beside this file: turns, colours and scales as ModelFoundry\n"
)
OF_AN_ARRAY: Final = "pixels = np.load(sys.argv[1]).astype(np.float32)  # [{channels}, {height}, {width}], 0 to 255"


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Gives a folder to write into, which takes the target's place at the end, in one step, and only if all went well.

    Raises:
        AlreadyExists: the target is there and not an empty folder.
    """
    target = target.absolute()
    _check_free(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f".{target.name}-{uuid.uuid4().hex[:8]}.part")
    staged.mkdir()
    try:
        yield staged
        _check_free(target)
        if target.exists():
            target.rmdir()
        staged.rename(target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def write_texts(folder: Path, card: Card, digest: str, program: Export) -> None:
    """Makes `config.json` of the export's description, and writes card and example beside it.

    Args:
        folder: Has what an export wrote.
        card: Of what was exported.
        digest: SHA-256 that names its content.
        program: The export that `model.onnx` is of.

    Raises:
        MalformedFile: the description says no image size.
    """
    path = folder / DESCRIPTION_FILE
    description = json.loads(path.read_text(encoding="utf-8"))
    config = {
        **description,
        "library_name": "modelfoundry",
        "num_classes": len(description["output"]["labels"]),
        "card": {
            "display_name": "" if card.title == card.id else card.title,
            "description": card.description,
            "intended_use": card.intended_use,
            "license": card.license,
            "tags": dict(card.tags),
        },
        "origin": {"resource": card.name, "digest": digest},
        **_described_program(program),
    }
    text = json.dumps(config, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / CONFIG_FILE).write_text(f"{text}\n", encoding="utf-8")
    path.unlink()
    example = _example(description["input"]["shape"])
    (folder / EXAMPLE_FILE).write_text(example, encoding="utf-8")
    if PICTURE_FILE in example:
        decoder = resources.files(pictures).joinpath("decoding.py").read_text(encoding="utf-8")
        (folder / PICTURE_FILE).write_text(decoder, encoding="utf-8")
    readme = (
        f"{card.markdown}\n{_shown_program(program)}{shown_computation(description)}"
        f"## How to load it\n\n```python\n{example}```\n"
    )
    (folder / README_FILE).write_text(readme, encoding="utf-8")


def _described_program(program: Export) -> dict[str, object]:
    """What `config.json` says of an ONNX file that is not float32 throughout."""
    if program.weights is WeightFormat.FP32:
        return {}
    form: dict[str, Any] = {"weights": program.weights, "compute": program.compute}
    if program.measured is not None:
        form["measured"] = dataclasses.asdict(program.measured)
    return {ONNX_FILE: form}


def _shown_program(program: Export) -> str:
    """The same for people."""
    if program.weights is WeightFormat.FP32:
        return ""
    text = f"`{ONNX_FILE}` keeps its weights in {program.weights} and computes in {program.compute}."
    if (found := program.measured) is not None:
        text += (
            f" On {found.sample_count} validation images it answers {found.accuracy:.2%} correctly; in float32 it is "
            f"{found.accuracy_fp32:.2%}, and {found.agreement:.2%} of the answers are the same."
        )
    return f"## What the ONNX file computes with\n\n{text}\n\n"


def _example(shape: list[object]) -> str:
    match shape:
        case [_, int(channels), int(height), int(width)]:
            template = OF_A_FILE if channels in CHANNELS else OF_AN_ARRAY
            image = template.format(channels=channels, height=height, width=width)
            return EXAMPLE.format(image=image, imports=DECODER if channels in CHANNELS else "")
    raise MalformedFile(f"{DESCRIPTION_FILE} says no image size", field="input.shape", hint="report it as a bug")


def _check_free(target: Path) -> None:
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise AlreadyExists(
            f"{target} is there and not an empty folder",
            field="folder",
            hint="choose another folder: nothing is overwritten",
        )
