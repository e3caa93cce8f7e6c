"""Photographs that a phone held on its side are seen alike by training, evaluation and prediction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from service_stack import ServiceStack

from modelfoundry.client import Client, TrainingRecipe
from modelfoundry.pictures.decoding import decode

SIDE = 16
LABELS = ("left", "top")


@pytest.fixture(scope="module")
def client(shared_stack: ServiceStack) -> Iterator[Client]:
    with Client(shared_stack.endpoints, parent="projects/photographs") as client:
        yield client


def _photographs(folder: Path, seed: int, each: int) -> list[Path]:
    """Pictures whose left or upper half is bright once they are turned as EXIF's orientation 6 says."""
    generator = np.random.Generator(np.random.PCG64(seed))
    exif = Image.Exif()
    exif[0x0112] = 6
    paths = []
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        for number in range(each):
            pixels = generator.integers(0, 90, (SIDE, SIDE, 3), dtype=np.uint8)
            pixels[(slice(None), slice(SIDE // 2)) if label == "left" else slice(SIDE // 2)] += 150
            paths.append(folder / label / f"{number}.jpg")
            Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90).save(paths[-1], exif=exif)
    return paths


def test_evaluate_and_predict_see_the_same_photographs(client: Client, tmp_path: Path) -> None:
    _photographs(tmp_path / "train", 0, 60)
    shown = _photographs(tmp_path / "test", 1, 20)
    dataset = client.datasets.push(tmp_path, dataset_id="photographs")
    recipe = TrainingRecipe(epochs=4, batch_size=20)
    model = client.train("zoo:resnet20", dataset, recipe=recipe, model_id="turned").wait(timeout=240).model

    (evaluation,) = client.evaluate([model], dataset).wait(timeout=240)
    predictions = client.predict(model, shown)

    assert evaluation.classification.accuracy == 1.0
    assert [answer.label for answer in predictions] == [path.parent.name for path in shown]
    assert all(answer.notes == () for answer in predictions)

    photo = tmp_path / "photo.png"  # larger than a message
    noise = np.random.Generator(np.random.PCG64(2)).integers(0, 256, (1300, 1200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(photo)
    (large, small) = client.predict(model, [photo, decode(photo, 3, SIDE, SIDE).pixels])
    assert large.labels == small.labels
