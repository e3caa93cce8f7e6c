"""Modules that rewrite tensors, have lost channels or answer with log-odds, through the running services."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from foundry import Foundry
from handwritten_digits import digits

from modelfoundry.client import DecompositionRecord, ExportFormat, Module, NewLabel, Scoring
from modelfoundry.core.channels import ChannelMasks, plan_channels, plan_cuts
from modelfoundry.core.export import load_exported
from modelfoundry.core.heads import LogOddsHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, materialise, write_module
from modelfoundry.core.networks import load_network
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, Problem

PIXELS = digits().splits["test"].images[:20].numpy()


@pytest.fixture(scope="module")
def base(foundry: Foundry, tmp_path_factory: pytest.TempPathFactory) -> torch.nn.Module:
    model = foundry.model
    weights = foundry.client.blobs.download(model.weights, tmp_path_factory.mktemp("base") / "weights.safetensors")
    return load_network(model.architecture, len(model.labels), model.input, weights).requires_grad_(False)


def _whole(foundry: Foundry, problem: Problem) -> ModuleArtifact:
    """The base, as it is, read as log-odds of some labels."""
    columns = tuple(foundry.model.labels.index(label) for label in problem.labels)
    ones = torch.ones(len(columns))
    head = LogOddsHead(len(foundry.model.labels), columns, isinstance(problem, BinaryProblem), ones, 0 * ones)
    return ModuleArtifact(foundry.model.weights.digest, problem, WeightMasks({}), head, "tried")


def _small(foundry: Foundry, base: torch.nn.Module) -> ModuleArtifact:
    """A network of its own, of two thirds of the channels: all of its tensors are the module's, in half precision."""
    plan = plan_channels(base, foundry.model.input)
    cuts = plan_cuts(plan, ChannelMasks({g.name: torch.arange(g.units) % 3 != 0 for g in plan.groups}))
    whole = _whole(foundry, BinaryProblem("3"))
    cut = ModuleArtifact(whole.base_digest, whole.problem, whole.masks, whole.head, "tried", cuts=cuts)
    state = materialise(base, cut).network.state_dict()
    tensors = {name: value.half() for name, value in state.items() if value.is_floating_point()}
    return ModuleArtifact(
        whole.base_digest, whole.problem, whole.masks, whole.head, "tried", RewrittenTensors(tensors), cuts
    )


@pytest.fixture(scope="module")
def modules(foundry: Foundry, base: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Module]:
    folder = tmp_path_factory.mktemp("modules")
    artifacts = {
        "small": _small(foundry, base),
        "three": _whole(foundry, BinaryProblem("3")),
        "pair": _whole(foundry, MultiClassProblem(("8", "3"))),
    }
    made = {}
    for name, artifact in artifacts.items():
        write_module(folder / name, artifact)
        module = Module(
            base_model=foundry.model.name,
            problem=artifact.problem,
            artifact=foundry.client.blobs.upload(folder / name),
            dataset=foundry.dataset.name,
            record=DecompositionRecord(algorithm="tried", dataset_digest=foundry.dataset.digest),
        )
        made[name] = foundry.client.modules.create(module, module_id=name)
    return made


def test_they_are_measured_as_what_they_are(foundry: Foundry, modules: dict[str, Module]) -> None:
    job = foundry.client.evaluate(list(modules), "digits", baselines=True, modularity=True)
    found = job.wait(timeout=240)
    own = {each.subject.rpartition("/")[2]: each for each in found if each.subject.rpartition("/")[2] in modules}
    assert own["three"].retention.weight_retention == own["pair"].retention.weight_retention == 1
    assert 0.3 < own["small"].retention.weight_retention < 0.6
    assert own["small"].retention.kept_kernels < own["small"].retention.total_kernels
    assert own["small"].cost.macs_dense < 0.6 * own["three"].cost.macs_dense
    assert 0.5 < own["small"].modularity.coupling < 1
    assert own["three"].modularity.kernel_retention == 1
    for name, module in modules.items():
        assert own[name].cost.artifact_bytes == module.artifact.size_bytes
    restricted = [
        each.classification.accuracy
        for each in found
        if each.module == modules["pair"].name and each.scoring is Scoring.RESTRICTED
    ]
    assert [own["pair"].classification.accuracy] == restricted


def test_the_base_read_as_log_odds_is_as_sure_as_the_base(foundry: Foundry, modules: dict[str, Module]) -> None:
    whole = foundry.client.predict("models/digits-cnn", PIXELS)
    part = foundry.client.predict("three", PIXELS)
    for all_labels, three in zip(whole, part, strict=True):
        expected = {each.label: each.probability for each in all_labels.labels}["3"]
        assert {each.label: each.probability for each in three.labels}["3"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("export_format", list(ExportFormat), ids=str)
def test_a_small_network_of_its_own_is_downloaded_in_every_format(
    foundry: Foundry, modules: dict[str, Module], tmp_path: Path, export_format: ExportFormat
) -> None:
    files = foundry.client.modules.download("small", tmp_path, export_format)
    assert max(path.stat().st_size for path in files) < 0.8 * foundry.model.weights.size_bytes


def test_it_is_published_and_taken_in_again_as_a_model(
    foundry: Foundry, modules: dict[str, Module], tmp_path: Path
) -> None:
    folder = foundry.client.hub.export("small", tmp_path / "hub")
    foundry.client.hub.import_folder(folder, model_id="small-one")
    before = foundry.client.predict("small", PIXELS)
    after = foundry.client.predict("models/small-one", PIXELS)
    assert [each.labels[0].label for each in before] == [each.labels[0].label for each in after]
    assert before[0].labels[0].probability == pytest.approx(after[0].labels[0].probability, abs=1e-4)


def test_it_loses_dead_channels_like_every_other(
    foundry: Foundry, base: torch.nn.Module, modules: dict[str, Module], tmp_path: Path
) -> None:
    forms = foundry.client.compact("small", latency_batch_sizes=[1]).wait(timeout=240).forms
    assert forms.max_difference <= 1e-5
    assert forms.compacted.parameters <= forms.masked.parameters < forms.original.parameters
    foundry.client.modules.download("small", tmp_path, ExportFormat.SAFETENSORS, compact=True)
    images = torch.rand(3, *foundry.model.input.shape)
    mean, std = (torch.tensor(each).view(-1, 1, 1) for each in (foundry.model.input.mean, foundry.model.input.std))
    with torch.no_grad():
        expected = materialise(base, _small(foundry, base))((images - mean) / std)
        torch.testing.assert_close(load_exported(tmp_path)(images), expected, atol=1e-4, rtol=1e-4)


def test_their_log_odds_are_composed(foundry: Foundry, modules: dict[str, Module]) -> None:
    labels = [NewLabel(label="3", sources=["small", "three"]), NewLabel(label="8", sources=["pair"])]
    composition = foundry.client.compose_labels(labels, "digits").wait(timeout=240).composition
    assert {member.source for member in composition.members} <= {module.name for module in modules.values()}
    (found,) = foundry.client.evaluate(composition.name, "digits").wait(timeout=240)[:1]
    assert found.classification.accuracy > 0.8
