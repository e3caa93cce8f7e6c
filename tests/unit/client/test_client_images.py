"""Images of all kinds, in as many calls as they need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from noting_services import Services

from modelfoundry import errors
from modelfoundry.api.registry.v1 import (
    registry_service_pb2,  # noqa: F401 - makes the service known to the descriptor pool
    search_service_pb2,  # noqa: F401
)
from modelfoundry.client.images import MAX_BATCH_BYTES


def test_many_images_go_in_several_calls_and_come_back_in_order(serve: Any, call: Any) -> None:
    services = Services()
    images = [bytes(1 + number) for number in range(1500)]
    predictions = call(serve(services), "predict", "horse", images, top_k=1)
    assert [prediction.label for prediction in predictions] == [str(1 + number) for number in range(1500)]
    assert [len(request.images) for request in services.requests] == [1024, 476]
    assert {request.top_k for request in services.requests} == {1}
    assert predictions[0].subject == "projects/default/modules/horse"


def test_large_images_go_in_as_many_calls_as_messages_need(serve: Any, call: Any) -> None:
    services = Services()
    call(serve(services), "predict", "horse", [bytes(1024 * 1024)] * 7)
    assert [len(request.images) for request in services.requests] == [3, 3, 1]


def test_an_image_above_the_limit_is_named(serve: Any, call: Any) -> None:
    with pytest.raises(errors.TooLarge) as caught:
        call(serve(Services()), "predict", "horse", [b"x", np.zeros((1, 1, MAX_BATCH_BYTES), dtype=np.uint8)])
    assert caught.value.field == "images[1]"


def test_a_large_file_that_is_no_picture_is_named(serve: Any, call: Any) -> None:
    with pytest.raises(errors.InvalidImage) as caught:
        call(serve(Services()), "predict", "horse", [b"x", bytes(MAX_BATCH_BYTES)])
    assert caught.value.field == "images[1]"


def test_arrays_and_files_are_images(serve: Any, call: Any, tmp_path: Path) -> None:
    services = Services()
    (tmp_path / "a.png").write_bytes(b"png")
    batch = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)
    call(serve(services), "predict", "horse", batch)
    call(serve(services), "predict", "horse", batch[0])
    call(serve(services), "predict", "horse", tmp_path / "a.png")
    call(serve(services), "predict", "horse", str(tmp_path / "a.png"))
    several, single, path, text = services.requests
    assert len(several.images) == 2
    assert [list(image.pixels.shape) for image in (*several.images, *single.images)] == [[3, 2, 2]] * 3
    assert several.images[1].pixels.values == bytes(range(12, 24))
    assert path.images[0].encoded == text.images[0].encoded == b"png"


@pytest.mark.parametrize(
    "image",
    [np.zeros((3, 2, 2), np.float32), np.zeros((2, 2), np.uint8), 7, "no-such-file.png"],
    ids=["floats", "flat", "number", "missing"],
)
def test_what_is_no_image_is_named(serve: Any, call: Any, image: Any) -> None:
    with pytest.raises(errors.InvalidImage) as caught:
        call(serve(Services()), "predict", "horse", [b"x", image])
    assert caught.value.field == "images[1]"
