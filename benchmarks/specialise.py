"""Small networks for some labels of the public ResNet20: accuracy, bytes and time of their files, beside their base.

Usage: python benchmarks/specialise.py run --data FOLDER [--only horse ...] [--seconds 120]
       python benchmarks/specialise.py page

FOLDER has `cifar10/train.safetensors` and `cifar10/test.safetensors` (uint8 `images`, int64 `labels`) and
`pretrained/resnet20-12fca82f.th` of akamaster/pytorch_resnet_cifar10. Rows lie in build/specialise, one a network; a
rerun goes on where it stopped. `run` makes networks by the product's search and chooses nothing on test images; `page`
writes benchmarks/specialise.md from the rows that are there. One thread.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.datasets.cutting import validation_cut
from modelfoundry.core.evaluation import Run, base_answers, own_answers, pose_split, split_logits
from modelfoundry.core.export import (
    ImageClassifier,
    compute_in_int8,
    interleaved_onnx_latency,
    onnx_of,
    onnx_program,
    store_weights,
)
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, materialise, read_module, write_module
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.networks import build_network
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchTask
from modelfoundry.decomposer.algorithms.specialise import SPECIALISE
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.file_forms import WeightFormat
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

ROOT: Final = Path(__file__).parent.parent
ROWS: Final = ROOT / "build" / "specialise"
PAGE: Final = ROOT / "benchmarks" / "specialise.md"
LABELS: Final = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SPEC: Final = InputSpec(3, 32, 32, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
ARCHITECTURE: Final = Architecture("zoo:resnet20")
BATCHES: Final = (1, 16)
CALIBRATION: Final = 256
Files = tuple[Callable[[Tensor], Tensor], ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A network to make."""

    labels: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    rest: bool = True
    """Whether it knows an answer for everything else."""

    @property
    def name(self) -> str:
        """Of its row."""
        labels = "+".join(self.labels) + ("" if self.rest else " alone")
        return "-".join([labels, *(f"{key}={value}" for key, value in sorted(self.settings.items()))])

    @property
    def problem(self) -> Problem:
        """What it tells apart: one label and the rest, or several, with or without the rest."""
        if not self.rest:
            return MultiClassProblem(self.labels)
        return BinaryProblem(self.labels[0]) if len(self.labels) == 1 else OpenSetProblem(self.labels)


FAST: Final = 0.33
"""Of the time of the base's float32 file."""
GROUPS: Final = (("horse", "truck"), ("cat", "deer", "dog", "horse"))


def study(seconds: float) -> tuple[Wanted, ...]:
    """All networks: every label, a preview, within a budget of time, groups, in the order of their worth."""
    learnt = {"seconds": seconds}
    fast = {**learnt, "max_latency": FAST}
    tried = ("cat", "horse", "bird", "truck", "dog")
    return (
        *(Wanted((label,), learnt) for label in tried),
        Wanted(("horse",), {"recipe": "preview"}),
        *(Wanted((label,), fast) for label in ("cat", "horse")),
        *(Wanted((label,), learnt) for label in LABELS if label not in tried),
        *(Wanted(labels, learnt, rest) for labels in GROUPS for rest in (False, True)),
    )


@dataclass(frozen=True, eq=False, slots=True)
class Materials:
    """The base and its data."""

    network: nn.Module
    train: ImageSet
    validation: ImageSet
    test: ImageSet

    @classmethod
    def read(cls, folder: Path) -> Materials:
        """Reads what the page at the top describes."""
        splits = {name: load_file(folder / "cifar10" / f"{name}.safetensors") for name in ("train", "test")}
        whole = ImageSet(splits["train"]["images"], splits["train"]["labels"].long())
        kept, cut = validation_cut(whole.labels, 0.1, seed=0)
        network = build_network(ARCHITECTURE, len(LABELS), SPEC)
        state = torch.load(folder / "pretrained" / "resnet20-12fca82f.th", map_location="cpu", weights_only=True)
        state = state.get("state_dict", state)
        network.load_state_dict({name.removeprefix("module."): value for name, value in state.items()}, strict=False)
        return cls(
            network.eval().requires_grad_(False),
            ImageSet(whole.images[kept], whole.labels[kept]),
            ImageSet(whole.images[cut], whole.labels[cut]),
            ImageSet(splits["test"]["images"], splits["test"]["labels"].long()),
        )

    @property
    def calibration(self) -> Tensor:
        """Training images that activations are measured on, evenly spread."""
        return self.train.images[:: len(self.train) // CALIBRATION][:CALIBRATION]


def searched(wanted: Wanted, materials: Materials) -> dict[str, Any]:
    """Makes a network by the product's search and keeps its file; what it cost, and what was decided."""
    settings = dict(wanted.settings)
    begun = time.process_time()
    result = SPECIALISE.search(
        SearchTask(
            network=materials.network,
            architecture=ARCHITECTURE,
            labels=LABELS,
            problems=(wanted.problem,),
            train=materials.train,
            validation=materials.validation,
            input_spec=SPEC,
            settings=SPECIALISE.resolve(settings.pop("recipe", ""), settings),
            seed=0,
            device=torch.device("cpu"),
            monitor=Unwatched(),
        )
    )
    seconds = time.process_time() - begun
    _keep(result.modules[0], wanted)
    return {"cpu_seconds": seconds, "validation": result.validation_accuracy, **result.settled}


def _keep(found: FoundModule, wanted: Wanted) -> None:
    path = ROWS / f"{wanted.name}.safetensors"
    parts = (found.masks, found.head, SPECIALISE.name, RewrittenTensors(found.rewritten), found.cuts, found.operations)
    write_module(path, ModuleArtifact("sha256:" + "0" * 64, wanted.problem, *parts))


def measured(wanted: Wanted, artifact: ModuleArtifact, materials: Materials) -> dict[str, Any]:
    """Accuracy on the posed test images, bytes and speed of the network's files, beside those of the base."""
    module = materialise(materials.network, artifact)
    own = onnx_of(ImageClassifier(module, SPEC, wanted.problem.outputs).eval())
    base = onnx_of(ImageClassifier(materials.network, SPEC, LABELS).eval())
    files = {
        "base fp32": base,
        "base int8": compute_in_int8(base, materials.calibration),
        "fp32": own,
        "fp32, weights int8": store_weights(own, WeightFormat.INT8),
        "int8": compute_in_int8(own, materials.calibration),
    }
    times = interleaved_onnx_latency(list(files.values()), SPEC, BATCHES)
    return {
        "files": {
            name: {"bytes": len(content), "speedups": found.speedups}
            for (name, content), found in zip(files.items(), times, strict=True)
        },
        **_accuracies(wanted, module, files, materials),
    }


def _accuracies(
    wanted: Wanted, module: nn.Module, files: Mapping[str, bytes], materials: Materials
) -> dict[str, float]:
    run, images = Run(SPEC, torch.device("cpu")), materials.test.images
    posed = pose_split(materials.test.labels, wanted.problem, LABELS)

    def right(predicted: Tensor) -> float:
        return float((predicted == posed.truth)[posed.chosen].float().mean())

    def program(name: str) -> Tensor:
        execute = onnx_program(files[name])
        return torch.cat([execute(part.float() / 255) for part in torch.split(images, 250)])

    base = base_answers(split_logits(materials.network, images, run), posed)
    whole = base_answers(program("base int8"), posed)
    own = split_logits(module, images, run)
    return {
        "test": right(own_answers(own, posed).predicted),
        "test int8": right(own_answers(program("int8"), posed).predicted),
        "base": right(base.restricted.predicted),
        "base prior": right(base.at_prior.predicted) if base.at_prior else 0.0,
        "base int8": right(whole.restricted.predicted),
    }


def run_all(folder: Path, only: Iterable[str], seconds: float) -> None:
    """Makes and measures every row that is not there."""
    ROWS.mkdir(parents=True, exist_ok=True)
    materials = Materials.read(folder)
    for wanted in study(seconds):
        path = ROWS / f"{wanted.name}.json"
        if path.exists() or (only and not set(wanted.labels) <= set(only)):
            continue
        found = path.with_suffix(".found")
        if not found.exists():
            found.write_text(json.dumps(searched(wanted, materials)))
        artifact, facts = read_module(path.with_suffix(".safetensors")), json.loads(found.read_text())
        row = {"labels": wanted.labels, "rest": wanted.rest, "settings": dict(wanted.settings), **facts}
        row |= measured(wanted, artifact, materials)
        path.write_text(json.dumps(row, indent=2) + "\n")
        print(wanted.name, {key: value for key, value in row.items() if key != "files"}, flush=True)


def write_page() -> None:
    """Writes the page from the rows that are there."""
    rows = [json.loads(path.read_text()) for path in sorted(ROWS.glob("*.json"))]
    PAGE.write_text(page(rows))


def page(rows: list[dict[str, Any]]) -> str:
    """The page."""
    learnt = [row for row in rows if set(row["settings"]) == {"seconds"}]
    fast = [row for row in rows if "max_latency" in row["settings"]]
    singles, groups = ([row for row in learnt if (len(row["labels"]) == 1) is one] for one in (True, False))
    previews = [row for row in rows if "recipe" in row["settings"]]
    parts = [_INTRODUCTION, "## Labels\n\n" + _table(singles)]
    if groups:
        parts.append("## Groups\n\n" + _GROUPS + _group_table(groups))
    if previews:
        parts.append("## Previews: fitted in closed form, nothing learnt\n\n" + _table(previews))
    if fast:
        parts.append(f"## Within {FAST:.0%} of the base's time: `--max-latency {FAST}`\n\n" + _table(fast))
    parts.append("## Files\n\n" + _file_table(learnt[0]) if learnt else "")
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


_INTRODUCTION: Final = """# Small networks for some labels

Public ResNet20 on CIFAR-10; written by `python benchmarks/specialise.py page` from rows that `run` made with the
product's search, one thread. Accuracy is that of the posed problem on test images (as many of everything else as of
the labels), at the threshold fitted on validation images, which the base has memorised. *Base* decides among its ten
labels; *prior* is the base at the threshold of a balanced problem, the best that it can do without data. *Faster* is
onnxruntime on one thread, CPU time, in place of the base's float32 file: both run in turns of eight passes, so that
passes of a file follow on each other as in a program that has no other. Passes that change between files at every one
find their weights gone from the processor's caches, and the smaller a file is, the more it loses by that. Seconds are
CPU seconds of the whole search, answers of the base included.
"""

_GROUPS: Final = """With an answer for everything else half of the images are of the labels and half of everything else;
*base* decides among its ten labels. Without one all images are of the labels, and it decides among them alone.

"""


def _table(rows: list[dict[str, Any]]) -> str:
    head = (
        "| label | widths | blocks fewer | steps | CPU s | bytes, int8 | faster, int8 "
        "| test, fp32 | test, int8 | base | prior | base, int8 | int8 - base |\n"
    )
    lines = [head + "|---|---|---|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        figures = [row[key] for key in ("test", "test int8", "base", "base prior", "base int8")]
        lines.append(
            f"| {row['labels'][0]} | {row['widths']} | {row['left_out']} | {row['steps']} | {row['cpu_seconds']:.0f} | "
            f"{row['files']['int8']['bytes']:,} | {row['files']['int8']['speedups'][0]:.2f} | "
            + " | ".join(f"{100 * value:.2f}" for value in figures)
            + f" | {100 * (row['test int8'] - row['base']):+.2f} |"
        )
    if len(rows) > 1:
        means = [sum(row[key] for row in rows) / len(rows) for key in ("test", "test int8", "base", "base prior")]
        whole = sum(row["base int8"] for row in rows) / len(rows)
        cells = " | ".join(f"{100 * value:.2f}" for value in (*means, whole))
        lines.append(f"| mean of {len(rows)} | | | | | | | {cells} | {100 * (means[1] - means[2]):+.2f} |")
    return "\n".join(lines) + "\n"


def _group_table(rows: list[dict[str, Any]]) -> str:
    head = (
        "| labels | none of these | widths | CPU s | bytes, int8 | faster, int8 "
        "| test, fp32 | test, int8 | base | base, int8 | int8 - base |\n"
    )
    lines = [head + "|---|---|---|---|---|---|---|---|---|---|---|"]
    for row in sorted(rows, key=lambda each: (each["rest"], len(each["labels"]))):
        file = row["files"]["int8"]
        cells = " | ".join(f"{100 * row[key]:.2f}" for key in ("test", "test int8", "base", "base int8"))
        lines.append(
            f"| {', '.join(row['labels'])} | {'yes' if row['rest'] else 'no'} | {row['widths']} | "
            f"{row['cpu_seconds']:.0f} | {file['bytes']:,} | {file['speedups'][0]:.2f} | {cells} | "
            f"{100 * (row['test int8'] - row['base']):+.2f} |"
        )
    return "\n".join(lines) + "\n"


def _file_table(row: Mapping[str, Any]) -> str:
    lines = [f"Of {', '.join(row['labels'])}.\n\n| file | bytes | faster, batch 1 | batch 16 |\n|---|---|---|---|"]
    for name, facts in row["files"].items():
        times = " | ".join(f"{value:.2f}" for value in facts["speedups"])
        lines.append(f"| {name} | {facts['bytes']:,} | {times} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "page"))
    parser.add_argument("--data", type=Path, default=ROOT / "shared" / "data")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=120.0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.what == "run":
        run_all(given.data, given.only, given.seconds)
    else:
        write_page()


if __name__ == "__main__":
    main()
