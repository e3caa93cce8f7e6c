"""What workers run for compositions. Named by import path in `reuser/jobs.py`, imported in the worker process."""

from __future__ import annotations

import torch._dynamo  # noqa: F401 - checking a network and training one import it, which takes seconds

from modelfoundry.api.reuser.v1 import composing_pb2
from modelfoundry.reuser.composing.compose import compose
from modelfoundry.reuser.composing.plan import plan_composition
from modelfoundry.reuser.composing.request import composition_from_proto
from modelfoundry.reuser.settings import ReuserSettings
from modelfoundry.runtime.jobs import JobContext
from modelfoundry.wire.composing import replacement_to_proto
from modelfoundry.workbench.jobs import workbench


def run_compose(request: composing_pb2.ComposeModelRequest, context: JobContext) -> composing_pb2.ComposeModelResponse:
    """Carries a queued ComposeModel out."""
    wanted = composition_from_proto(request)
    with workbench(context, ReuserSettings()) as bench:
        plan = bench.planned(lambda resources: plan_composition(wanted, resources))
        composed = compose(plan, context.name, bench)
    for replacement in composed.replacements:
        if replacement.refusal:
            context.log(
                f"{replacement.label} is not replaced by {replacement.source}: {replacement.refusal}", "warning"
            )
    return composing_pb2.ComposeModelResponse(
        composition=composed.name, replacements=[replacement_to_proto(each) for each in composed.replacements]
    )
