"""Smaller weights and int8 of compositions and transformers: run by onnxruntime beside torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from modelfoundry.core.composing import Calibration, Member, Readout, compose_network
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.export import (
    CompositionSubject,
    Exportable,
    ExportImages,
    ExportSubject,
    classifier_of,
    compute_in_int8,
    export_onnx,
    export_safetensors,
    load_exported,
    onnx_of,
    onnx_program,
)
from modelfoundry.core.export.graphs import parsed
from modelfoundry.core.networks import build_network
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.file_forms import Compute, ExportForm, WeightFormat

Make = Callable[[str, InputSpec], ExportSubject]
SPEC = InputSpec(1, 8, 8, mean=(0.3,), std=(0.25,))
PIXELS = torch.randint(0, 256, (600, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
HALVES, BYTES = ExportForm(weights=WeightFormat.FP16), ExportForm(weights=WeightFormat.INT8)
INT8 = ExportForm(weights=WeightFormat.INT8, compute=Compute.INT8)


@pytest.fixture(scope="module")
def composition(model_subject: Make, module_subject: Make) -> CompositionSubject:
    """A model and two modules: the layers of the last one stand behind the log-odds of the first."""
    sources = (
        model_subject("zoo:digits_cnn", SPEC),
        module_subject("zoo:digits_cnn", SPEC),
        module_subject("zoo:digits_cnn", InputSpec(1, 8, 8, (0.1,), (0.2,))),
    )
    members = (
        Member(0, Readout(4), Calibration(1.5, -0.25)),
        Member(1, Readout(0, rest=1)),
        Member(2, Readout(0, rest=1)),
    )
    network, spec = compose_network([(s.network, s.input_spec) for s in sources], members, ("a", "b", "c"))
    return CompositionSubject(network, network.labels, spec, sources, members)


@pytest.fixture(scope="module")
def transformer() -> ExportSubject:
    arguments = {"img_size": 8, "patch_size": 4, "depth": 2, "embed_dim": 48, "num_heads": 3}
    architecture = Architecture("timm:vit_tiny_patch16_224", arguments)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = build_network(architecture, 10, SPEC).eval()
    labels = tuple(map(str, range(10)))
    return ExportSubject(network, labels, architecture, 10, SPEC, "sha256:" + "12" * 32)


@pytest.mark.parametrize("form", [HALVES, BYTES, INT8], ids=str)
@pytest.mark.parametrize("kind", ["composition", "transformer"])
def test_they_answer_as_torch_does_in_every_form(
    kind: str, form: ExportForm, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    subject: Exportable = request.getfixturevalue(kind)
    with torch.no_grad():
        exact = classifier_of(subject)(PIXELS / 255)
    images = ExportImages(PIXELS[:64], ImageSet(PIXELS[:128], exact[:128].argmax(1)), "projects/p/datasets/d", "train")
    done = export_onnx(subject, tmp_path, form, images)
    content = (tmp_path / "model.onnx").read_bytes()
    answered = onnx_program(content)(PIXELS / 255)

    # What is rounded away is small beside what tells images apart.
    assert float((answered - exact).std()) < (0.25 if form == INT8 else 0.05) * float(exact.std())
    assert done.measured is not None
    assert done.measured.agreement > 0.85
    described = json.loads((tmp_path / "module.json").read_text())
    assert (described["weights"], described["compute"]) == (form.weights, form.compute)


@pytest.mark.parametrize("kind", ["composition", "transformer"])
def test_float16_tensors_are_read_again(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    subject: Exportable = request.getfixturevalue(kind)
    export_safetensors(subject, tmp_path, HALVES)
    loaded = load_exported(tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(loaded(PIXELS / 255), classifier_of(subject)(PIXELS / 255), atol=0.02, rtol=0.02)


def in_int8(subject: Exportable) -> bytes:
    return compute_in_int8(onnx_of(classifier_of(subject)), PIXELS[:64])


def test_a_transformer_computes_its_layers_on_integers_and_the_rest_as_it_was(
    transformer: ExportSubject,
) -> None:
    kinds = [node.op_type for node in parsed(in_int8(transformer)).graph.node]
    assert kinds.count("QLinearMatMul") == 4 * 2  # of a block: to q, k and v, out of attention, and two of the MLP
    assert kinds.count("MatMul") == 2 * 2  # scores, and what they weigh
    assert kinds.count("Softmax") == 2
    assert not {"QLinearAdd", "QLinearMul", "QLinearSoftmax", "QLinearConcat"} & set(kinds)
