"""Records of trainings."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import model_pb2
from modelfoundry.values.resources import TrainingRecord
from modelfoundry.wire.computing import ENVIRONMENT, SUBSET, VALIDATION
from modelfoundry.wire.pairs import Pair

TRAINING_RECORD = Pair(TrainingRecord, model_pb2.TrainingRecord, VALIDATION, SUBSET, ENVIRONMENT)
