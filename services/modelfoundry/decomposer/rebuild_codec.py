"""Repeated decompositions as messages."""

from __future__ import annotations

from modelfoundry.api.decomposer.v1 import rebuild_service_pb2 as pb
from modelfoundry.api.types.v1 import compute_pb2
from modelfoundry.decomposer.rebuild import Rebuilding


def rebuilding_to_proto(module: str, rebuilding: Rebuilding) -> pb.RebuildResponse:
    """The answer to Rebuild."""
    ran_on = rebuilding.environment
    return pb.RebuildResponse(
        module=module,
        equal=not rebuilding.differences,
        differences=[
            pb.TensorDifference(tensor=one.tensor, differing=one.differing, entries=one.entries)
            for one in rebuilding.differences
        ],
        mask_entries=rebuilding.mask_entries,
        environment=compute_pb2.Environment(
            python=ran_on.python,
            libraries=dict(ran_on.libraries),
            platform=ran_on.platform,
            device=ran_on.device,
            threads=ran_on.threads,
        ),
        changes=[
            pb.EnvironmentChange(what=one.what, recorded=one.recorded, current=one.current)
            for one in rebuilding.changes
        ],
    )
