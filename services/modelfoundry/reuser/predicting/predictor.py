"""Classifies images with networks that are kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from modelfoundry.client import Client
from modelfoundry.core.export import Exportable, classifier_of
from modelfoundry.reuser.subjects import Subject, load_subject
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.requests import subject_collection


@dataclass(frozen=True, slots=True)
class LabelProbability:
    """A label and its probability in [0, 1]."""

    label: str
    probability: float


class Predictor:
    """Classifies images; thread-safe.

    Args:
        client: Access to the registry.
        cache: Local blobs.
        keep: Networks kept in memory.
    """

    def __init__(self, client: Client, cache: BlobCache, keep: int) -> None:
        self._client = client
        self._cache = cache
        self._keep = keep
        self._loaded: OrderedDict[str, Subject] = OrderedDict()
        self._lock = threading.Lock()

    def subject(self, name: str) -> Subject:
        """The network of that name, from memory when its weights are still those of the registry.

        Raises:
            NotFound, Unavailable: as the registry says.
        """
        return self.loaded(name, self._digest(name))

    def loaded(self, name: str, digest: str) -> Subject:
        """The network of a name that the registry was asked about just now.

        Args:
            name: Full name of a model, module or composition.
            digest: That the registry told.

        Raises:
            NotFound, Unavailable: as the registry says.
        """
        with self._lock:
            loaded = self._loaded.get(name)
            if loaded is not None and loaded.digest == digest:
                self._loaded.move_to_end(name)
                return loaded
        loaded = load_subject(self._client, self._cache, name)
        with self._lock:
            self._loaded[name] = loaded
            self._loaded.move_to_end(name)
            while len(self._loaded) > self._keep:
                self._loaded.popitem(last=False)
        return loaded

    def _digest(self, name: str) -> str:
        # Asked anew for every call: a deleted module must not go on answering from memory.
        match subject_collection(name, field="subject"):
            case "models":
                return self._client.models.get(name).weights.digest
            case "modules":
                return self._client.modules.get(name).artifact.digest
            case _:
                return self._client.compositions.get(name).digest


def probabilities(classifier: Exportable, pixels: torch.Tensor) -> torch.Tensor:
    """Softmax over the outputs, float32 [n, outputs].

    Args:
        classifier: What classifies.
        pixels: float32 in [0, 1], [n, channels, height, width], with the classifier's extents.
    """
    with torch.inference_mode():
        return torch.softmax(classifier_of(classifier)(pixels), dim=1)


def rank(found: torch.Tensor) -> torch.return_types.sort:
    """Probabilities of every image with their places, most probable first; equal ones in the order of the outputs."""
    return found.sort(dim=1, descending=True, stable=True)


def classify(classifier: Exportable, images: torch.Tensor, top_k: int) -> list[tuple[LabelProbability, ...]]:
    """Probabilities of the labels of every image, most probable first.

    Args:
        classifier: What classifies.
        images: uint8, [n, channels, height, width], with the classifier's extents.
        top_k: At most this many labels an image; 0 means all.
    """
    ranked = rank(probabilities(classifier, images.to(torch.float32).div_(255)))
    count = min(top_k or len(classifier.outputs), len(classifier.outputs))
    return [
        _named(classifier.outputs, values[:count], places[:count])
        for values, places in zip(ranked.values.tolist(), ranked.indices.tolist(), strict=True)
    ]


def _named(outputs: Sequence[str], values: Sequence[float], places: Sequence[int]) -> tuple[LabelProbability, ...]:
    return tuple(LabelProbability(outputs[place], value) for value, place in zip(values, places, strict=True))
