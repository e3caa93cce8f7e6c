"""Whole searches: one label to the base's accuracy, and ten labels in one job."""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import torch
from interleaved import interleaved, ratios
from reference.seam import ReferenceSeam
from torch import nn

from modelfoundry.core.batches import accuracy, training_batches
from modelfoundry.core.datasets import pose_binary
from modelfoundry.core.devices import seeded
from modelfoundry.core.inference import predict_labels
from modelfoundry.core.monitor import Unwatched
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.shelf import CacheShelf
from ratios.digits import CPU, LABELS, SPEC, Digits, searched, trained_digits
from ratios.measurements import Effort, Report

EPOCHS: Final = 60
"""Of the paper's recipe, a fifth of what it asks for."""
TRIED: Final = (25, 50, 100, 200, 400)
"""Steps of the recipe `distilled`, of which the first that reaches the base is timed."""
RETENTION: Final = 0.1
TEN_STEPS: Final = 100


@dataclass(frozen=True, slots=True)
class Reached:
    """How a search ended: on validation images, in [0, 1]."""

    accuracy: float
    retention: float


def time_to_quality(effort: Effort) -> Report:
    """The recipe `distilled` to the base's accuracy on validation images, and 60 epochs of the published way."""
    digits, found, notes = trained_digits(effort), [], []
    for label in ("3", "8")[: 1 if effort.tiny else 2]:
        base = _base_accuracy(digits, label)
        steps, reached = _steps_to(digits, label, 0.0 if effort.tiny else base)
        if steps is None:
            notes.append(f"Digit {label}: {TRIED[-1]} steps reach {100 * reached:.2f} %, the base {100 * base:.2f} %.")
            continue
        published: list[Reached] = []
        seconds = interleaved(
            {
                "reference": lambda label=label, kept=published: kept.append(_published(digits, label, effort)),
                f"distilled, {steps} steps": partial(
                    searched, digits, label, "distilled", retention=RETENTION, steps=steps
                ),
            },
            effort.rounds(3),
        )
        found += ratios(f"SeaM search, digits CNN, digit {label}", seconds)
        notes.append(
            f"Digit {label}, balanced accuracy on validation images: base {100 * base:.2f} %; {steps} steps of "
            f"`distilled` {100 * reached:.2f} % at {100 * RETENTION:.0f} % of the weights; {EPOCHS} epochs of the "
            f"published way {100 * published[0].accuracy:.2f} % at {100 * published[0].retention:.1f} %, in its last "
            "epoch."
        )
    notes.append(
        "Reduced: a digits CNN of 56,394 weights, 117 images of the label and as many others, so that 60 epochs are "
        "240 steps; with CIFAR-10 they are 8,460."
    )
    return Report({"quality": tuple(found)} if found else {}, notes=tuple(notes))


def ten_labels(effort: Effort) -> Report:
    """Ten digits in as many processes as there are cores, sharing what the base says, and one after the other."""
    digits = trained_digits(effort)
    steps, labels = (4, LABELS[:2]) if effort.tiny else (TEN_STEPS, LABELS)
    if effort.tiny:
        torch.set_num_threads(1)  # threads that wait for each other take minutes on a machine that is busy
    cores = len(os.sched_getaffinity(0))
    # Spawned, because a process that has computed on several threads cannot be forked.
    spawned = get_context("spawn")
    with ProcessPoolExecutor(cores, spawned, initializer=torch.set_num_threads, initargs=(1,)) as workers:
        seconds = interleaved(
            {
                "reference": lambda: [_searched_alone(effort, steps, label) for label in labels],
                f"{cores} processes, one pool": lambda: _searched_together(workers, effort, steps, labels),
            },
            effort.rounds(3),
            clock=time.perf_counter,
        )
    note = (
        f"Seconds of the clock. Recipe `distilled`, {steps} steps each, digits CNN, {len(digits.train)} training "
        "images. The reference searches label after label in one process on all cores, as ten jobs would in turn, each "
        "asking the base again; beside it as many processes as cores, each on one thread, share the pool of the base's "
        "answers on disk as workers do."
    )
    return Report({"ten-labels": tuple(ratios(f"{len(labels)} labels of digits CNN", seconds))}, notes=(note,))


def _searched_alone(effort: Effort, steps: int, label: str, shelf: str = "") -> None:
    """One search, by a process that may not have run one before."""
    kept = CacheShelf(BlobCache(Path(shelf), 2**30), "digits") if shelf else None
    searched(trained_digits(effort), label, "distilled", kept, retention=RETENTION, steps=steps)


def _searched_together(workers: ProcessPoolExecutor, effort: Effort, steps: int, labels: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        list(workers.map(partial(_searched_alone, effort, steps, shelf=folder), labels))


def _base_accuracy(digits: Digits, label: str) -> float:
    posed = pose_binary(digits.validation, int(label))
    said = predict_labels(digits.network, posed.images, SPEC, batch_size=256, device=CPU)
    return float(((said != int(label)).long() == posed.labels).float().mean())


def _steps_to(digits: Digits, label: str, wanted: float) -> tuple[int | None, float]:
    """The fewest tried steps that reach an accuracy, None when none does, and what was reached."""
    reached = 0.0
    for steps in TRIED:
        reached = searched(digits, label, "distilled", retention=RETENTION, steps=steps).validation_accuracy
        if reached >= wanted:
            return steps, reached
    return None, reached


def _published(digits: Digits, label: str, effort: Effort) -> Reached:
    """The paper's recipe in the plain reference: every epoch is measured on validation images."""
    train, validation = pose_binary(digits.train, int(label)), pose_binary(digits.validation, int(label))
    with seeded(0, CPU):
        head = nn.Linear(len(LABELS), 2)
    search = ReferenceSeam(digits.network, head, lr_mask=0.05, lr_head=0.1, alpha=1.0)
    measured = 0.0
    for epoch in range(2 if effort.tiny else EPOCHS):
        for images, labels in training_batches(
            train, SPEC, batch_size=64, augmentation="crop", seed=0, epoch=epoch, device=CPU
        ):
            search.step(images, labels, with_masks=epoch % 5 != 0)
        measured = accuracy(lambda images: search.outputs(images)[0], validation, SPEC, device=CPU, monitor=Unwatched())
    with torch.no_grad():
        kept = float(search.outputs(torch.zeros(1, *SPEC.shape))[1])
    return Reached(measured, kept)
