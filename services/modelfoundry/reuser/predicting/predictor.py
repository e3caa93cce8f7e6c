"""Classifies images with networks that are kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import torch

from modelfoundry.client import Client
from modelfoundry.core.export import Exportable, classifier_of
from modelfoundry.reuser.subjects import LoadedSubject, load_subject
from modelfoundry.values.results import LabelProbability
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.resources import Resources, Subject, digest_of


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
        self._loaded: OrderedDict[str, LoadedSubject] = OrderedDict()
        self._lock = threading.Lock()

    def loaded(self, subject: Subject) -> LoadedSubject:
        """The network of a subject, from memory where that is still the one with the subject's digest.

        Args:
            subject: As the registry has it now. A network of what was deleted must not go on answering, so that every
                call asks the registry for it.

        Raises:
            NotFound, Unavailable: as the registry says.
        """
        with self._lock:
            loaded = self._loaded.get(subject.name)
            if loaded is not None and loaded.digest == digest_of(subject):
                self._loaded.move_to_end(subject.name)
                return loaded
        # Outside of the lock, for it takes seconds: two calls may both load one network, others wait for neither.
        loaded = load_subject(Resources(self._client), self._cache, subject)
        with self._lock:
            self._loaded[subject.name] = loaded
            self._loaded.move_to_end(subject.name)
            while len(self._loaded) > self._keep:
                self._loaded.popitem(last=False)
        return loaded


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
