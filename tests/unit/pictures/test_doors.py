"""The same file gives the same pixels through every door: a data set, a prediction, and an exported folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from safetensors.numpy import load_file

from modelfoundry.client.hub.writing import write_texts
from modelfoundry.client.images import MAX_BATCH_BYTES, have_large, image_inputs
from modelfoundry.client.sources.prepare import prepare_dataset
from modelfoundry.pictures.decoding import decode
from modelfoundry.reuser.predicting.images import images_from_proto
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.cards import Card
from modelfoundry.values.exports import Export, ExportFormat

SIDE = 20
NOISE = np.random.Generator(np.random.PCG64(1)).integers(0, 256, (24, 30, 4), dtype=np.uint8)
READ = """\
import sys, numpy
sys.path.insert(0, sys.argv[1])
from picture import decode
numpy.save(sys.argv[2], numpy.stack([decode(path, int(sys.argv[3]), 20, 20).pixels for path in sys.argv[4:]]))
"""


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _pictures(folder: Path) -> list[Path]:
    """A file of every kind that doors might read differently."""
    colour, clear = Image.fromarray(NOISE[:, :, :3]), Image.fromarray(NOISE)
    wide = (NOISE[:, :, 0].astype(np.uint16) << 8) + 200
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    files: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        **{f"turned-{number}.jpg": (colour, {"exif": _exif(number)}) for number in range(1, 9)},
        "palette.png": (colour.quantize(16), {"transparency": 3}),
        "colours.gif": (colour, {"save_all": True, "append_images": [colour.rotate(180)]}),
        "clear.png": (clear, {}),
        "clear.webp": (clear, {"lossless": True}),
        "grey-clear.png": (clear.convert("LA"), {}),
        "ink.jpg": (colour.convert("CMYK"), {}),
        "deep.png": (Image.fromarray(wide), {}),
        "deep.tiff": (Image.fromarray(wide), {}),
        "bits.bmp": (colour.convert("1"), {}),
        "grey.jpg": (colour.convert("L"), {}),
        "profile.png": (colour, {"icc_profile": profile}),
        "photo.avif": (colour, {}),
    }
    folder.mkdir(parents=True)
    for name, (image, options) in files.items():
        image.save(folder / name, **options)
    return sorted(folder.iterdir())


def _pushed(paths: list[Path], work: Path, channels: int) -> np.ndarray[Any, Any]:
    """Pixels of a data set of these pictures, each of its own label."""
    split = work / "train"
    for path in paths:
        (split / path.name).mkdir(parents=True)
        (split / path.name / path.name).write_bytes(path.read_bytes())
    (work / "made").mkdir()
    prepared = prepare_dataset(work, work / "made", (), (SIDE, SIDE))
    return load_file(prepared.files["train"])["images"]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_door_gives_the_same_bits(tmp_path: Path, channels: int) -> None:
    paths = _pictures(tmp_path / "pictures")
    if channels == 1:  # a data set is grey where all of its pictures are
        paths = [path for path in paths if path.stem in {"grey-clear", "deep", "bits", "grey"}]
    folder = tmp_path / "hub"
    folder.mkdir()
    described = {"input": {"shape": [None, channels, SIDE, SIDE]}, "output": {"labels": ["a"]}}
    (folder / "module.json").write_text(json.dumps(described))
    card = Card(name="projects/p/models/m", etag="e", title="m", markdown="# m\n")
    write_texts(folder, card, "sha256:0", Export(subject="m", format=ExportFormat.ONNX, files=(), max_difference=0.0))
    subprocess.run(
        [sys.executable, "-c", READ, str(folder), str(tmp_path / "exported.npy"), str(channels), *map(str, paths)],
        check=True,
        env={"PYTHONPATH": ""},
    )
    exported = np.load(tmp_path / "exported.npy")

    spec = InputSpec(channels, SIDE, SIDE)
    predicted = images_from_proto(list(image_inputs(paths)), spec).pixels.numpy()
    sent = images_from_proto(list(image_inputs([path.read_bytes() for path in paths])), spec).pixels.numpy()

    assert np.array_equal(exported, predicted)
    assert np.array_equal(sent, predicted)
    if channels != 4:
        assert np.array_equal(_pushed(paths, tmp_path / "pushed", channels), predicted)


def test_the_example_reads_its_picture_by_that_decoder(tmp_path: Path) -> None:
    described = {"input": {"shape": [None, 3, SIDE, SIDE]}, "output": {"labels": ["a"]}}
    (tmp_path / "module.json").write_text(json.dumps(described))
    card = Card(name="projects/p/models/m", etag="e", title="m", markdown="# m\n")
    write_texts(tmp_path, card, "sha256:0", Export(subject="m", format=ExportFormat.ONNX, files=(), max_difference=0.0))
    example = (tmp_path / "example.py").read_text()
    assert "from picture import decode" in example
    assert f"decode(sys.argv[1], 3, {SIDE}, {SIDE})" in example
    assert "modelfoundry" not in (tmp_path / "picture.py").read_text().replace("ModelFoundry", "")


def test_a_photograph_that_is_larger_than_a_call_gives_the_same_bits(tmp_path: Path) -> None:
    noise = np.random.Generator(np.random.PCG64(2)).integers(0, 256, (1300, 1200, 3), dtype=np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(noise).save(path, exif=_exif(6))
    assert path.stat().st_size > MAX_BATCH_BYTES
    spec, notes = InputSpec(3, SIDE, SIDE), {}
    assert have_large([path])
    assert have_large(path.read_bytes())
    assert not have_large(np.zeros((3, 9, 9), np.uint8))
    (message,) = image_inputs([path], spec, notes)
    assert message.HasField("pixels")
    expected = decode(path, 3, SIDE, SIDE).pixels
    assert np.array_equal(images_from_proto([message], spec).pixels.numpy()[0], expected)
    assert notes == {0: ()}
