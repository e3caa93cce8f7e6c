"""What searches within budgets had to choose from."""

from __future__ import annotations

from modelfoundry.api.types.v1 import frontier_pb2
from modelfoundry.values.file_forms import Compute, WeightFormat
from modelfoundry.values.frontiers import Frontier, FrontierPoint
from modelfoundry.wire.pairs import Pair

FRONTIER = Pair(
    Frontier,
    frontier_pb2.Frontier,
    Pair(FrontierPoint, frontier_pb2.FrontierPoint),
    otherwise={"weights": WeightFormat.FP32, "compute": Compute.FP32},
)
frontier_from_proto = FRONTIER.from_proto
