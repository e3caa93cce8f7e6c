"""The recipe `distilled` of all modules together: what a step computes, and what a search finds."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.channels import ChannelMasks, kernel_weight_masks, plan_channels
from modelfoundry.core.datasets import ImageSet, normalise
from modelfoundry.core.masking import masked_forward, masked_state
from modelfoundry.core.modules.head_networks import network_of_head
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.networks import build_network
from modelfoundry.decomposer.algorithms.distilling.losses import distillation_loss
from modelfoundry.decomposer.algorithms.distilling.norms import BatchNorms
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.distilling.pool import ViewPool
from modelfoundry.decomposer.algorithms.gradsplitter import GRADSPLITTER
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.kernels import KernelScores
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.saliency import unit_saliency
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.search import SplitTask, Splitting
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.settings import DistilledSplitSettings
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.trunk import SharedTrunk
from modelfoundry.decomposer.algorithms.gradsplitter.search import KernelModule
from modelfoundry.decomposer.algorithms.searching import SearchResult, SearchTask
from modelfoundry.errors import Cancelled, DatasetMismatch, DeviceUnavailable, InvalidField, UnsupportedModel
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem, OpenSetProblem

SPEC = InputSpec(1, 4, 4, (0.5,), (0.25,))
CPU = torch.device("cpu")
DIGITS_CNN = Architecture("zoo:digits_cnn")
LABELS = ("a", "b", "c", "d")
PROBLEMS = (BinaryProblem("a"), OpenSetProblem(("b", "d")), BinaryProblem("c"))
QUICK = DistilledSplitSettings(
    steps=6, batch_size=16, retention=0.4, shared=0.4, augmentation="none", precision="float32"
)
Search = Callable[..., SearchResult[KernelModule]]


def images(count: int, seed: int) -> ImageSet:
    """A bright corner says the label."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 4
    pixels = torch.randint(0, 120, (count, 1, 4, 4), dtype=torch.uint8, generator=generator)
    for place, label in enumerate(labels.tolist()):
        pixels[place, :, 2 * (label // 2) : 2 * (label // 2) + 2, 2 * (label % 2) : 2 * (label % 2) + 2] += 130
    return ImageSet(pixels, labels)


@pytest.fixture(scope="module")
def base() -> nn.Module:
    """Trained for a moment."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        network = build_network(DIGITS_CNN, 4, SPEC).train()
        optimiser, batch = torch.optim.Adam(network.parameters(), lr=0.005), images(64, 3)
        for _ in range(25):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(normalise(batch.images, SPEC)), batch.labels).backward()
            optimiser.step()
    return network.eval().requires_grad_(False)


@pytest.fixture(autouse=True)
def one_thread() -> object:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def search(base: nn.Module) -> Search:
    """`search(**parts of the task)`."""

    def run(**parts: object) -> SearchResult[KernelModule]:
        task = SearchTask(
            network=base,
            architecture=DIGITS_CNN,
            labels=LABELS,
            problems=PROBLEMS,
            train=images(80, 1),
            validation=images(40, 2),
            input_spec=SPEC,
            settings=QUICK,
            seed=5,
            device=CPU,
            monitor=Unwatched(),
        )
        return GRADSPLITTER.search(dataclasses.replace(task, **parts))  # type: ignore[arg-type, return-value]

    return run


def split_task(network: nn.Module, settings: DistilledSplitSettings = QUICK) -> SplitTask:
    targets = tuple(Target.of(problem, LABELS) for problem in PROBLEMS)
    pool = ViewPool(network, images(40, 1), SPEC, augmentation="none", seed=0, device=CPU, precision="float32")
    return SplitTask(
        network, plan_channels(network, SPEC), targets, pool, SPEC, settings, 5, CPU, "float32", Unwatched()
    )


def trunk_of(network: nn.Module, shared: int = 1) -> SharedTrunk:
    groups = plan_channels(network, SPEC).kernel_groups
    return SharedTrunk(network, groups, shared=shared, modules=3, input_spec=SPEC, device=CPU)


def some_bits(seed: int = 0) -> Tensor:
    """Of three modules, float32 [3, 160]: the first 32 units are kept alike."""
    bits = (torch.rand(3, 160, generator=torch.Generator().manual_seed(seed)) < 0.6).float()
    bits[:, :32] = bits[0, :32]
    return bits


def test_a_module_of_the_trunk_is_the_network_with_masked_weights_that_normalises_by_batch(base: nn.Module) -> None:
    trunk, bits = trunk_of(base), some_bits()
    inputs = normalise(images(12, 7).images, SPEC)
    begun = trunk.begin(inputs, bits[:1])
    plan = plan_channels(base, SPEC)
    for module in range(3):
        parts = torch.split(bits[module].bool(), [group.units for group in plan.kernel_groups])
        masks = ChannelMasks({group.name: part for group, part in zip(plan.kernel_groups, parts, strict=True)})
        network = copy.deepcopy(base)
        BatchNorms(network).normalise_by_batch()
        expected = masked_forward(network, masked_state(network, kernel_weight_masks(base, plan, masks)), inputs)
        torch.testing.assert_close(trunk.logits(begun, bits[module, None], module), expected, rtol=1e-4, atol=1e-4)


def test_what_comes_before_the_first_layer_that_differs_is_computed_once(base: nn.Module) -> None:
    trunk = trunk_of(base)
    calls: list[str] = []
    for name in ("features.0", "features.3", "features.7"):
        layer = trunk._interpreter.module.get_submodule(name)
        layer.register_forward_hook(lambda *_, name=name: calls.append(name))
    bits = some_bits()
    begun = trunk.begin(normalise(images(4, 7).images, SPEC), bits[:1])
    for module in range(3):
        trunk.logits(begun, bits[module, None], module)
    assert calls == ["features.0", "features.3", *["features.7"] * 3]
    assert [norm.trained["weight"].dim() for norm in trunk.norms.values()] == [1, 1, 2]


class Untraceable(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, pixels: Tensor) -> Tensor:
        if pixels.sum() > float("inf"):
            return pixels
        logits: Tensor = self.inner(pixels)
        return logits


def test_a_network_that_cannot_be_traced_is_run_whole_for_every_module(base: nn.Module) -> None:
    hidden, bits = trunk_of(Untraceable(base)), some_bits()
    inputs, plain = normalise(images(6, 7).images, SPEC), trunk_of(base)
    found = hidden.logits(hidden.begin(inputs, bits[:1]), bits[1:2], 1)
    torch.testing.assert_close(found, plain.logits(plain.begin(inputs, bits[:1]), bits[1:2], 1))
    assert [norm.trained["weight"].dim() for norm in hidden.norms.values()] == [2, 2, 2]


def test_gradients_of_a_step_are_those_of_the_sum_of_the_modules_losses(base: nn.Module) -> None:
    task = split_task(base)
    run, alive = Splitting(task), some_bits().bool()
    inputs = normalise(images(12, 7).images, SPEC)
    taught = base(inputs)

    mean, of_bits = run._gradients(inputs, taught, alive)

    bits = alive.float().requires_grad_()
    losses = []
    for module, target in enumerate(task.targets):
        row = bits[module, None]
        logits = run._trunk.logits(run._trunk.begin(inputs, row), row, module)
        losses.append(distillation_loss(logits, taught, network_of_head(target.head()), 4.0))
    found = [(norm.trained["weight"].grad.clone(), norm.trained["weight"]) for norm in run._trunk.norms.values()]
    expected = torch.autograd.grad(torch.stack(losses).sum(), [bits, *(weight for _, weight in found)])
    assert mean == pytest.approx(float(torch.stack(losses).mean().detach()), rel=1e-5)
    torch.testing.assert_close(of_bits[:, 32:], expected[0][:, 32:], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(of_bits[:, :32].sum(0), expected[0][:, :32].sum(0), rtol=1e-4, atol=1e-5)
    for (grad, _), right in zip(found, expected[1:], strict=True):
        torch.testing.assert_close(grad, right, rtol=1e-3, atol=1e-5)


def test_a_density_keeps_the_best_kernels_of_all_modules_and_some_of_every_layer(base: nn.Module) -> None:
    groups = plan_channels(base, SPEC).kernel_groups
    saliency = torch.ones(3, 160)
    saliency[0] *= torch.linspace(1.0, 9.0, 160)
    scores = KernelScores(base, groups, 1, saliency)
    assert scores.total == 3 * 160
    for density in (1.0, 0.5, 0.3):
        alive = scores.alive(density)
        assert scores.kept(alive) == pytest.approx(density * scores.total, abs=2)
        assert torch.equal(alive[:, :32], alive[:1, :32].expand(3, -1))
    smallest = scores.alive(0.01)
    assert [int(part.sum()) for part in torch.split(smallest[1], [32, 64, 64])] == [2, 3, 3]
    with torch.no_grad():
        scores.values[32:] = 0.0
        scores.values[32 + 5] = 1.0
    assert bool(scores.alive(0.2)[0, 32 + 5])


def test_what_is_shared_receives_the_sum_of_the_modules_gradients_each_clamped(base: nn.Module) -> None:
    scores = KernelScores(base, plan_channels(base, SPEC).kernel_groups, 1, torch.rand(3, 160))
    scores.set_gradient(torch.full((3, 160), 0.25).index_fill(0, torch.tensor([1]), 7.0))
    assert scores.values.grad is not None
    assert scores.values.grad[:32].tolist() == [1.5] * 32
    assert scores.values.grad[32:].view(3, 128)[:, 0].tolist() == [0.25, 1.0, 0.25]


def test_a_unit_that_nothing_reads_is_not_needed(base: nn.Module) -> None:
    network = copy.deepcopy(base)
    with torch.no_grad():
        network.get_parameter("linear.weight")[:, 7] = 0.0
    heads = [network_of_head(Target(4, (label,), rest=True).head()).requires_grad_(False) for label in range(3)]
    batch = images(8, 7)
    mine = torch.stack([batch.labels == label for label in range(3)], dim=1)
    saliency = unit_saliency(trunk_of(network), heads, [(normalise(batch.images, SPEC), mine)], 160)
    assert saliency.shape == (3, 160)
    assert saliency[:, 96 + 7].tolist() == [0.0] * 3
    assert int((saliency > 0).sum()) > 400


def test_modules_keep_what_was_asked_and_share_the_first_layers(search: Search, base: nn.Module) -> None:
    result = search()
    assert sum(module.kept_kernels for module in result.modules) == pytest.approx(0.4 * 3 * 160, abs=2)
    assert [module.labels for module in result.modules] == [(0,), (1, 3), (2,)]
    first, *others = result.modules
    for other in others:
        for name in ("features.1.weight", "features.1.bias"):
            assert torch.equal(first.rewritten[name], other.rewritten[name])
        assert torch.equal(first.masks.bits["features.0.weight"], other.masks.bits["features.0.weight"])
        assert not torch.equal(first.masks.bits["features.7.weight"], other.masks.bits["features.7.weight"])
        assert not torch.equal(first.rewritten["features.8.weight"], other.rewritten["features.8.weight"])
    assert (result.epochs_run, result.samples, result.settled) == (0, (80, 40), {"precision": "float32"})


def test_the_accuracy_told_is_that_of_all_modules_together(search: Search, base: nn.Module) -> None:
    result, validation = search(), images(40, 2)
    scores = torch.zeros(40, 4)
    for module in result.modules:
        state = {**masked_state(base, module.masks), **{n: value.float() for n, value in module.rewritten.items()}}
        logits = masked_forward(base, state, normalise(validation.images, SPEC))
        scores[:, list(module.labels)] = network_of_head(module.head)(logits)[:, :-1].detach()
    assert result.validation_accuracy == pytest.approx(float((scores.argmax(1) == validation.labels).float().mean()))
    assert result.base_validation_accuracy > 0.9


def tensors(result: SearchResult[KernelModule]) -> Mapping[str, Tensor]:
    return {
        f"{place}.{name}": value
        for place, module in enumerate(result.modules)
        for name, value in {**module.masks.bits, **module.rewritten, **module.head.tensors}.items()
    }


def assert_equal(found: SearchResult[KernelModule], expected: SearchResult[KernelModule]) -> None:
    right = tensors(expected)
    assert all(torch.equal(value, right[name]) for name, value in tensors(found).items())


class Watcher(Unwatched):
    """Keeps every checkpoint, and cancels after some of them or in a phase."""

    def __init__(self, folder: Path, stop_after: int | None = None, stop_in: str = "") -> None:
        self.folder, self.stop_after, self.stop_in = folder, stop_after, stop_in
        self.phase = ""
        self.checkpoints: list[Path] = []

    def progress(self, phase: str, done: int, total: int, unit: str, metrics: Mapping[str, float]) -> None:
        self.phase = phase

    def check_cancelled(self) -> None:
        if self.phase and self.phase == self.stop_in:
            raise Cancelled("enough")
        if self.stop_after is not None and len(self.checkpoints) >= self.stop_after:
            raise Cancelled("enough")

    def checkpoint(self, write: Callable[[Path], None]) -> None:
        self.checkpoints.append(self.folder / f"{len(self.checkpoints)}.safetensors")
        write(self.checkpoints[-1])


def test_a_search_that_was_stopped_ends_with_the_bits_of_one_that_never_was(search: Search, tmp_path: Path) -> None:
    whole = search()
    assert_equal(search(), whole)
    stopped = Watcher(tmp_path, stop_after=3)
    with pytest.raises(Cancelled):
        search(monitor=stopped)
    assert_equal(search(resume=stopped.checkpoints[-1]), whole)


def test_a_cancel_ends_the_work_while_the_base_answers(search: Search, tmp_path: Path) -> None:
    watcher = Watcher(tmp_path, stop_in="the base's answers")
    with pytest.raises(Cancelled):
        search(train=images(600, 1), settings=dataclasses.replace(QUICK, steps=60), monitor=watcher)
    assert not watcher.checkpoints


def test_a_network_without_normalisation_has_masks_alone() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.Flatten()
    ).append(nn.Linear(8 * 16, 4))
    run = Splitting(split_task(plain.eval()))
    task = run._task
    task.pool.fill(run.views_ahead(), Unwatched())
    for _ in range(QUICK.steps):
        run.run_step()
    assert [module.rewritten for module in run.modules()] == [{}, {}, {}]


def test_too_few_images_are_told_before_the_work(search: Search, tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    with pytest.raises(DatasetMismatch, match="too few to fit"):
        search(validation=images(12, 2), monitor=watcher)
    with pytest.raises(DatasetMismatch, match="no training image of 'd'"):
        search(train=images(80, 1).subset(torch.arange(80)[torch.arange(80) % 4 != 3]), monitor=watcher)
    assert not watcher.phase


def test_a_base_that_guesses_a_label_is_told_before_the_work(search: Search, base: nn.Module) -> None:
    guessing = copy.deepcopy(base)
    with torch.no_grad():
        guessing.get_parameter("linear.weight").zero_()
        guessing.get_parameter("linear.bias").zero_()
    with pytest.raises(UnsupportedModel, match="guesses 'a'"):
        search(network=guessing)


def test_bfloat16_is_refused_where_the_processor_has_none(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    with pytest.raises(DeviceUnavailable) as caught:
        search(settings=dataclasses.replace(QUICK, precision="bfloat16"))
    assert caught.value.field == "gradsplitter.recipe.precision"


def test_steps_in_bfloat16_come_to_masks_too(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    result = search(settings=dataclasses.replace(QUICK, precision="auto"))
    assert result.settled == {"precision": "bfloat16"}
    assert all(0 < module.kept_kernels < module.total_kernels for module in result.modules)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("retention", 0.0),
        ("retention", 1.01),
        ("retention", float("nan")),
        ("shared", -0.1),
        ("shared", 1.0),
        ("steps", 0),
        ("batch_size", 1),
        ("lr_mask", 0.0),
        ("lr_norm", float("inf")),
        ("temperature", 0.0),
        ("augmentation", "rotate"),
        ("precision", "float16"),
    ],
    ids=str,
)
def test_values_out_of_range_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidField) as caught:
        GRADSPLITTER.resolve("distilled", {field: value})
    assert caught.value.field == f"gradsplitter.recipe.{field}"


@pytest.mark.parametrize(("recipe", "field"), [("distilled", "cycles"), ("paper", "retention"), ("paper", "shared")])
def test_a_setting_of_another_recipe_is_refused(recipe: str, field: str) -> None:
    with pytest.raises(InvalidField, match=f"no such setting of the recipe '{recipe}'"):
        GRADSPLITTER.resolve(recipe, {field: 1})
