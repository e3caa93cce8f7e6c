"""What the evaluator's workers run. Named by import path in `__main__.py`, imported in the worker process."""

from __future__ import annotations

import torch._dynamo  # noqa: F401 - checking a network and training one import it, which takes seconds

from modelfoundry.api.evaluator.v1 import evaluator_service_pb2 as pb
from modelfoundry.evaluator.evaluate import evaluate
from modelfoundry.evaluator.plan import plan_evaluation
from modelfoundry.evaluator.request import evaluation_from_proto
from modelfoundry.evaluator.settings import EvaluatorSettings
from modelfoundry.runtime.jobs import JobContext
from modelfoundry.workbench.jobs import workbench


def run_evaluate(request: pb.EvaluateRequest, context: JobContext) -> pb.EvaluateResponse:
    """Carries a queued Evaluate out."""
    wanted = evaluation_from_proto(request)
    with workbench(context, EvaluatorSettings()) as bench:
        plan = bench.planned(lambda resources: plan_evaluation(wanted, resources))
        names = evaluate(plan, context.name, bench)
    return pb.EvaluateResponse(evaluations=names)
