"""`python -m modelfoundry.evaluator`: starts the evaluator with settings from the environment."""

from __future__ import annotations

from typing import Final

from modelfoundry.api.evaluator.v1 import evaluator_service_pb2 as pb
from modelfoundry.api.evaluator.v1 import evaluator_service_pb2_grpc as pb_grpc
from modelfoundry.client import AsyncClient
from modelfoundry.evaluator.servicer import EVALUATE_KIND, EvaluatorServicer
from modelfoundry.evaluator.settings import EvaluatorSettings
from modelfoundry.runtime.server import Service, run
from modelfoundry.workbench.queue import JobQueue
from modelfoundry.workbench.service import serve_worker

HANDLERS: Final = {EVALUATE_KIND: "modelfoundry.evaluator.jobs:run_evaluate"}


async def main() -> None:
    """Joins the parts and serves."""
    settings = EvaluatorSettings()
    async with AsyncClient(settings.endpoints) as client:
        evaluator = EvaluatorServicer(client, JobQueue(settings.endpoints), settings.cache)
        service = Service(
            pb.DESCRIPTOR.services_by_name["EvaluatorService"].full_name,
            lambda server: pb_grpc.add_EvaluatorServiceServicer_to_server(evaluator, server),
        )
        await serve_worker("evaluator", settings, [service], HANDLERS)


if __name__ == "__main__":
    run(main())
