"""ONNX files without waste: slim, with small weights, and in int8."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.export import (
    ExportSubject,
    classifier_of,
    compute_in_int8,
    interleaved_onnx_latency,
    onnx_of,
    onnx_program,
    slim_onnx,
    store_weights,
)
from modelfoundry.core.monitor import Unwatched
from modelfoundry.errors import Cancelled, UnsupportedModel
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.file_forms import WeightFormat

Make = Callable[[str, InputSpec], ExportSubject]
DIGITS = InputSpec(1, 8, 8, mean=(0.3,), std=(0.25,))
CIFAR = InputSpec(3, 32, 32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
GENERATOR = torch.Generator().manual_seed(3)
PIXELS = torch.randint(0, 256, (64, 1, 8, 8), dtype=torch.uint8, generator=GENERATOR)
IMAGES = PIXELS / 255


@pytest.fixture(scope="module")
def digits(module_subject: Make) -> ExportSubject:
    return module_subject("zoo:digits_cnn", DIGITS)


@pytest.fixture(scope="module")
def content(digits: ExportSubject) -> bytes:
    return onnx_of(classifier_of(digits))


def _normalised_file() -> bytes:
    """What other exporters write: normalisations of their own behind layers, names, texts, and numbers kept twice."""
    random = np.random.default_rng(1)
    helper, made = onnx.helper, onnx.numpy_helper.from_array

    def numbers(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    stored = {
        "convolution.weight": numbers(6, 3, 3, 3),
        "linear.weight": numbers(6, 5),
        "linear.bias": numbers(5),
        "again": numbers(5, 5),
        "unused": numbers(100),
        **{f"{norm}.{part}": numbers(width) for norm, width in (("n1", 6), ("n2", 5)) for part in ("s", "b", "m")},
        "n1.v": np.abs(numbers(6)) + 0.1,
        "n2.v": np.abs(numbers(5)) + 0.1,
    }
    stored["once more"] = stored["again"]
    nodes = [
        helper.make_node("Conv", ["images", "convolution.weight"], ["c"], strides=[1, 1], pads=[1, 1, 1, 1], group=1),
        helper.make_node("BatchNormalization", ["c", "n1.s", "n1.b", "n1.m", "n1.v"], ["d"], epsilon=0.01),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Gemm", ["f", "linear.weight", "linear.bias"], ["g"]),
        helper.make_node("BatchNormalization", ["g", "n2.s", "n2.b", "n2.m", "n2.v"], ["h"]),
        helper.make_node("MatMul", ["h", "again"], ["i"]),
        helper.make_node("MatMul", ["h", "once more"], ["j"]),
        helper.make_node("Sum", ["h", "i", "j"], ["logits"]),
    ]
    for node in nodes:
        node.name, node.doc_string = f"a long name of {node.output[0]}", "where it came from"
    float32 = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("images", float32, ["n", 3, 4, 4])],
        [helper.make_tensor_value_info("logits", float32, ["n", 5])],
        [made(values, name) for name, values in stored.items()],
        doc_string="more text",
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


def _operators(content: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(content).graph.node]


def test_normalisations_are_folded_and_equal_numbers_kept_once_with_the_same_outputs() -> None:
    given = _normalised_file()
    slim = slim_onnx(given)
    images = torch.rand(4, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    expected = onnx_program(given)(images)
    torch.testing.assert_close(onnx_program(slim)(images), expected, atol=1e-5, rtol=1e-5)
    assert "BatchNormalization" not in _operators(slim)
    stored = onnx.load_from_string(slim).graph.initializer
    assert sum(len(tensor.raw_data) // 4 for tensor in stored) == 162 + 6 + 30 + 5 + 25
    assert max(len(tensor.name) for tensor in stored) == 1
    for text in (b"long name", b"where it came from", b"more text", b"group", b"strides"):
        assert text in given
        assert text not in slim
    assert slim_onnx(slim) == slim


def test_a_normalisation_of_what_others_read_too_stays() -> None:
    model = onnx.load_from_string(_normalised_file())
    model.graph.node.append(onnx.helper.make_node("ReduceMax", ["c"], ["top"], keepdims=0))
    model.graph.output.append(onnx.helper.make_tensor_value_info("top", onnx.TensorProto.FLOAT, []))
    assert _operators(slim_onnx(model.SerializeToString())).count("BatchNormalization") == 1


def test_the_file_of_a_network_is_hardly_more_than_its_numbers(module_subject: Make) -> None:
    subject = module_subject("zoo:resnet20", CIFAR)
    classifier = classifier_of(subject)
    content = onnx_of(classifier)
    numbers = sum(parameter.numel() for name, parameter in subject.network.named_parameters() if ".bn" not in name)
    norms = sum(layer.num_features for layer in subject.network.modules() if isinstance(layer, nn.BatchNorm2d))
    assert 4 * (numbers + norms) < len(content) < 1.01 * 4 * (numbers + norms)
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(onnx_program(content)(images), classifier(images), atol=1e-5, rtol=1e-5)
    assert len(store_weights(content, WeightFormat.FP16)) < 0.52 * len(content)
    assert len(store_weights(content, WeightFormat.INT8)) < 0.27 * len(content)


def test_a_slim_file_is_described_as_before(content: bytes) -> None:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("images", "tensor(float)", ["n", 1, 8, 8])
    assert (made.name, made.type, made.shape) == ("logits", "tensor(float)", ["n", 2])


@pytest.mark.parametrize(("weights", "difference"), [(WeightFormat.FP16, 2e-3), (WeightFormat.INT8, 5e-2)])
def test_stored_weights_are_the_rounded_ones_and_computed_with_in_float32(
    content: bytes, weights: WeightFormat, difference: float
) -> None:
    small = store_weights(content, weights)
    expected, actual = onnx_program(content)(IMAGES), onnx_program(small)(IMAGES)
    assert 0 < float((actual - expected).abs().max()) < difference * float(expected.abs().max())
    assert {"Conv", "Cast"} <= set(_operators(small))
    assert not {"DequantizeLinear", "QLinearConv"} & set(_operators(small))


def test_int8_weights_have_a_step_for_every_output(content: bytes) -> None:
    """127 steps to the largest weight of each output, whatever the others are."""
    before, after = (
        onnx.load_from_string(content).graph,
        onnx.load_from_string(store_weights(content, WeightFormat.INT8)),
    )
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in before.initializer}
    kept = {t.name: onnx.numpy_helper.to_array(t) for t in after.graph.initializer}
    makes = {node.output[0]: node for node in after.graph.node}
    layers = [
        (weights[old.input[1]], makes[new.input[1]], 0 if old.op_type == "Conv" else None)
        for old, new in zip(
            [node for node in before.node if node.op_type in {"Conv", "Gemm"}],
            [node for node in after.graph.node if node.op_type in {"Conv", "Gemm"}],
            strict=True,
        )
        if new.input[1] in makes
    ]
    assert len(layers) >= 3
    for weight, scaled, axis in layers:
        steps, scales = kept[makes[scaled.input[0]].input[0]], kept[scaled.input[1]]
        assert steps.dtype == np.int8
        assert scales.size == weight.shape[axis or 0]
        assert (np.abs(steps * scales - weight) <= scales * 0.500001).all()


def test_numbers_that_float16_cannot_hold_stay_float32(content: bytes) -> None:
    model = onnx.load_from_string(content)
    name = next(node.input[1] for node in model.graph.node if node.op_type == "Conv")
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) * np.float32(1e6), name))
    large = model.SerializeToString()
    expected, actual = onnx_program(large)(IMAGES), onnx_program(store_weights(large, WeightFormat.FP16))(IMAGES)
    assert torch.isfinite(actual).all()
    torch.testing.assert_close(actual, expected, rtol=1e-2, atol=1e-2 * float(expected.abs().max()))


def test_int8_computes_on_integers_and_answers_alike(content: bytes) -> None:
    quantised = compute_in_int8(content, PIXELS)
    assert {"QLinearConv", "QGemm"} <= set(_operators(quantised))
    assert "Conv" not in _operators(quantised)
    expected, actual = onnx_program(content)(IMAGES), onnx_program(quantised)(IMAGES)
    assert 0 < float((actual - expected).abs().max()) < 0.2 * float(expected.abs().max())
    assert len(quantised) < 0.4 * len(content)


def test_weights_leave_room_for_processors_that_add_up_with_saturation(content: bytes) -> None:
    stored = onnx.load_from_string(compute_in_int8(content, PIXELS)).graph.initializer
    weights = [onnx.numpy_helper.to_array(t) for t in stored if t.data_type == onnx.TensorProto.INT8 and t.dims]
    assert max(np.abs(each.astype(int)).max() for each in weights) <= 64


@pytest.mark.parametrize("count", [0, 15, 4097])
def test_the_number_of_calibration_images_is_bounded(content: bytes, count: int) -> None:
    with pytest.raises(ValueError, match="16 to 4096"):
        compute_in_int8(content, torch.zeros(count, 1, 8, 8, dtype=torch.uint8))


def test_a_network_without_layers_for_int8_is_refused() -> None:
    class Sums(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.sum(dim=(2, 3))

    subject = classifier_of_network(Sums())
    with pytest.raises(UnsupportedModel, match="no layer") as caught:
        compute_in_int8(onnx_of(subject), PIXELS)
    assert "float32" in caught.value.hint


def classifier_of_network(network: nn.Module) -> nn.Module:
    from modelfoundry.core.export import ImageClassifier

    return ImageClassifier(network, DIGITS, ("a",)).eval()


def test_bytes_are_the_same_in_every_process(content: bytes, tmp_path: Path) -> None:
    """Sets of strings have another order in every process; the files must not."""
    (tmp_path / "fp32.onnx").write_bytes(content)
    torch.save(PIXELS, tmp_path / "images.pt")
    script = (
        "import sys, hashlib, torch; from pathlib import Path; from modelfoundry.core.export import *\n"
        "content = Path(sys.argv[1], 'fp32.onnx').read_bytes(); images = torch.load(Path(sys.argv[1], 'images.pt'))\n"
        "print(hashlib.sha256(compute_in_int8(slim_onnx(content), images)).hexdigest())"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert told == hashlib.sha256(compute_in_int8(content, PIXELS)).hexdigest()


def test_files_are_timed_in_turns_and_compared_with_the_first(content: bytes) -> None:
    times = interleaved_onnx_latency([content, content], DIGITS, (1, 4), seconds=0.01)
    assert [[each.batch_size for each in file.latencies] for file in times] == [[1, 4], [1, 4]]
    assert times[0].speedups == (1, 1)
    for first, second, ratio in zip(times[0].latencies, times[1].latencies, times[1].speedups, strict=True):
        assert ratio == first.median_ms / second.median_ms
        assert first.passes == second.passes >= 16
        assert 0 < first.median_ms <= first.p95_ms


def test_timing_ends_when_the_monitor_says_so(content: bytes) -> None:
    class Impatient(Unwatched):
        def check_cancelled(self) -> None:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        interleaved_onnx_latency([content], DIGITS, (1,), monitor=Impatient())
