"""What every form of an ONNX file costs: bytes, speed and test accuracy, of a CNN, a transformer and a composition.

Usage: python benchmarks/exports.py [--cifar10 FOLDER --resnet20 FILE]

Prints the table of docs/exports.md. Networks are trained on scikit-learn's digits by the product's training and kept in
build/bench. FOLDER has `train.safetensors` and `test.safetensors` (uint8 `images`, int64 `labels`), FILE is
`resnet20-12fca82f.th` of akamaster/pytorch_resnet_cifar10. int8 is calibrated on 256 training images, accuracy is that
of the test split, by onnxruntime; files of a network are timed in turns on one thread. Nothing is chosen by it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from ratios.digits import CPU, LABELS, SPEC, Digits, trained_digits
from ratios.measurements import Effort
from safetensors.torch import load_file, save_file
from torch import nn

from modelfoundry.core.composing import Member, Readout, compose_network
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import seeded
from modelfoundry.core.export import (
    ImageClassifier,
    compute_in_int8,
    interleaved_onnx_latency,
    onnx_of,
    onnx_program,
    store_weights,
)
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.networks import build_network
from modelfoundry.core.training import TrainingSettings, train
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.file_forms import WeightFormat

FOLDER: Final = Path(__file__).parent.parent / "build" / "bench"
TRANSFORMER: Final = Architecture(
    "timm:vit_tiny_patch16_224", {"img_size": 8, "patch_size": 2, "embed_dim": 64, "depth": 4, "num_heads": 4}
)
TRAINING: Final = TrainingSettings(60, 64, lr=0.05)
RESNET20: Final = InputSpec(3, 32, 32, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
BATCHES: Final = (1, 16)
CALIBRATION: Final = 256
SECONDS: Final = 0.5
"""Of a file at one batch size."""
AT_ONCE: Final = 250
HEADER: Final = ("network", "form", "bytes", "batch 1", "batch 16", "test accuracy")


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A network and its images."""

    title: str
    network: nn.Module
    input_spec: InputSpec
    train: ImageSet
    test: ImageSet


@dataclass(frozen=True, slots=True)
class Row:
    """What a file costs. Times are CPU milliseconds of a pass."""

    title: str
    form: str
    bytes: int
    milliseconds: tuple[float, ...]
    speedups: tuple[float, ...]
    accuracy: float


def digits_subjects(digits: Digits) -> Iterator[Subject]:
    """A CNN, a transformer, and a composition of both: the first five labels are the CNN's."""

    def subject(title: str, network: nn.Module, input_spec: InputSpec = SPEC) -> Subject:
        return Subject(title, network, input_spec, digits.train, digits.test)

    transformer = _transformer(digits)
    yield subject("digits CNN", digits.network)
    yield subject("digits ViT, 4 blocks of 64", transformer)
    members = tuple(Member(label // 5, Readout(label)) for label in range(len(LABELS)))
    composed, spec = compose_network([(digits.network, SPEC), (transformer, SPEC)], members, LABELS)
    yield subject("composition of both", composed.eval(), spec)


def _transformer(digits: Digits) -> nn.Module:
    path = FOLDER / "digits-vit.safetensors"
    with seeded(0, CPU):
        network = build_network(TRANSFORMER, len(LABELS), SPEC)
    if not path.exists():
        found = train(network, digits.train, digits.validation, SPEC, TRAINING, seed=0, device=CPU, monitor=Unwatched())
        save_file(dict(found.state), path)
    network.load_state_dict(load_file(path))
    return network.eval().requires_grad_(False)


def resnet20(folder: Path, weights: Path) -> Subject:
    """The public ResNet20 and CIFAR-10."""
    splits = [load_file(folder / f"{name}.safetensors") for name in ("train", "test")]
    images = [ImageSet(split["images"], split["labels"].long()) for split in splits]
    network = build_network(Architecture("zoo:resnet20"), 10, RESNET20)
    state = torch.load(weights, map_location="cpu", weights_only=True)
    state = state.get("state_dict", state)
    network.load_state_dict({name.removeprefix("module."): value for name, value in state.items()}, strict=False)
    return Subject("ResNet20", network.eval().requires_grad_(False), RESNET20, *images)


def measured(subject: Subject) -> list[Row]:
    """A row for every form."""
    outputs = tuple(map(str, range(10)))
    exact = onnx_of(ImageClassifier(subject.network, subject.input_spec, outputs).eval())
    images = subject.train.images
    files = {
        "float32": exact,
        "`--weights fp16`": store_weights(exact, WeightFormat.FP16),
        "`--weights int8`": store_weights(exact, WeightFormat.INT8),
        "`--compute int8`": compute_in_int8(exact, images[:: len(images) // CALIBRATION][:CALIBRATION]),
    }
    times = interleaved_onnx_latency(list(files.values()), subject.input_spec, BATCHES, seconds=SECONDS)
    return [
        Row(
            subject.title,
            form,
            len(content),
            tuple(latency.median_ms for latency in found.latencies),
            found.speedups,
            _accuracy(content, subject.test),
        )
        for (form, content), found in zip(files.items(), times, strict=True)
    ]


def _accuracy(content: bytes, test: ImageSet) -> float:
    execute = onnx_program(content)
    answers = torch.cat([execute(part.float() / 255).argmax(1) for part in torch.split(test.images, AT_ONCE)])
    return int((answers == test.labels).count_nonzero()) / len(test)


def lines_of(rows: Iterable[Row]) -> Iterator[str]:
    """The table in Markdown, line by line: float32 in milliseconds, other forms as times as fast."""
    yield _line(HEADER)
    yield _line(("---", "---", *("---:",) * (len(HEADER) - 2)))
    for row in rows:
        exact = row.form == "float32"
        speeds = (
            [f"{value:.3f} ms" for value in row.milliseconds] if exact else [f"{value:.2f}x" for value in row.speedups]
        )
        yield _line((row.title if exact else "", row.form, f"{row.bytes:,}", *speeds, f"{row.accuracy * 100:.2f} %"))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _arguments() -> Mapping[str, Path | None]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cifar10", type=Path)
    parser.add_argument("--resnet20", type=Path)
    return vars(parser.parse_args())


def main() -> None:
    """Measures and prints."""
    given = _arguments()
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    subjects = list(digits_subjects(trained_digits(Effort(FOLDER))))
    if given["cifar10"] and given["resnet20"]:
        subjects.append(resnet20(given["cifar10"], given["resnet20"]))
    for line in lines_of(row for subject in subjects for row in measured(subject)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
