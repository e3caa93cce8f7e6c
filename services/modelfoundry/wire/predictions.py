"""Predictions."""

from __future__ import annotations

from collections.abc import Iterable

from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.values.results import LabelProbability, Prediction
from modelfoundry.wire.pairs import Pair

LABEL_PROBABILITY = Pair(LabelProbability, pb.LabelProbability)


def prediction_to_proto(labels: Iterable[LabelProbability], notes: Iterable[str] = ()) -> pb.Prediction:
    """The message of the answer for one image."""
    return pb.Prediction(labels=map(LABEL_PROBABILITY.to_proto, labels), notes=notes)


def predictions_from_proto(message: pb.PredictResponse) -> tuple[Prediction, ...]:
    """Message to values, one an image."""
    return tuple(
        Prediction(
            labels=tuple(map(LABEL_PROBABILITY.from_proto, prediction.labels)),
            subject=message.subject,
            subject_digest=message.subject_digest,
            notes=tuple(prediction.notes),
        )
        for prediction in message.predictions
    )
