"""What workers run for compositions. Named by import path in `reuser/jobs.py`, imported in the worker process."""

from __future__ import annotations

import asyncio

import torch._dynamo  # noqa: F401 - checking a network and training one import it, which takes seconds

from modelfoundry.api.reuser.v1 import composing_pb2
from modelfoundry.client import AsyncClient, Endpoints
from modelfoundry.reuser.composing.codec import composition_from_proto, replacement_to_proto
from modelfoundry.reuser.composing.compose import compose
from modelfoundry.reuser.composing.plan import CompositionPlan, plan_composition
from modelfoundry.reuser.composing.request import CompositionRequest
from modelfoundry.reuser.settings import ReuserSettings
from modelfoundry.runtime.jobs import JobContext
from modelfoundry.workbench.jobs import workbench


def run_compose(request: composing_pb2.ComposeModelRequest, context: JobContext) -> composing_pb2.ComposeModelResponse:
    """Carries a queued ComposeModel out."""
    plan = asyncio.run(_plan(composition_from_proto(request), context.registry))
    with workbench(context, ReuserSettings()) as bench:
        composed = compose(plan, context.name, bench)
    for replacement in composed.replacements:
        if replacement.refusal:
            context.log(
                f"{replacement.label} is not replaced by {replacement.source}: {replacement.refusal}", "warning"
            )
    return composing_pb2.ComposeModelResponse(
        composition=composed.name, replacements=[replacement_to_proto(each) for each in composed.replacements]
    )


async def _plan(wanted: CompositionRequest, registry: str) -> CompositionPlan:
    async with AsyncClient(Endpoints(registry=registry), parent=wanted.parent) as client:
        return await plan_composition(wanted, client)
