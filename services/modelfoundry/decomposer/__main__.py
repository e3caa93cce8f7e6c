"""`python -m modelfoundry.decomposer`: starts the decomposer with settings from the environment."""

from __future__ import annotations

from typing import Final

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as decomposer_pb2
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2_grpc as decomposer_grpc
from modelfoundry.api.decomposer.v1 import rebuild_service_pb2 as rebuild_pb2
from modelfoundry.api.decomposer.v1 import rebuild_service_pb2_grpc as rebuild_grpc
from modelfoundry.api.decomposer.v1 import training_service_pb2 as training_pb2
from modelfoundry.api.decomposer.v1 import training_service_pb2_grpc as training_grpc
from modelfoundry.client import AsyncClient
from modelfoundry.decomposer.rebuild_servicer import REBUILD_KIND, RebuildServicer
from modelfoundry.decomposer.servicer import DECOMPOSE_KIND, DecomposerServicer
from modelfoundry.decomposer.settings import DecomposerSettings
from modelfoundry.decomposer.training_servicer import TRAIN_KIND, TrainingServicer
from modelfoundry.runtime.server import Service, run
from modelfoundry.workbench.queue import JobQueue
from modelfoundry.workbench.service import serve_worker

HANDLERS: Final = {
    DECOMPOSE_KIND: "modelfoundry.decomposer.jobs:run_decompose",
    REBUILD_KIND: "modelfoundry.decomposer.jobs:run_rebuild",
    TRAIN_KIND: "modelfoundry.decomposer.jobs:run_train",
}


async def main() -> None:
    """Joins the parts and serves."""
    settings = DecomposerSettings()
    queue = JobQueue(settings.endpoints)
    async with AsyncClient(settings.endpoints) as client:
        decomposer, training = DecomposerServicer(client, queue), TrainingServicer(client, queue)
        rebuilding = RebuildServicer(client, queue)
        services = [
            Service(
                decomposer_pb2.DESCRIPTOR.services_by_name["DecomposerService"].full_name,
                lambda server: decomposer_grpc.add_DecomposerServiceServicer_to_server(decomposer, server),
            ),
            Service(
                rebuild_pb2.DESCRIPTOR.services_by_name["RebuildService"].full_name,
                lambda server: rebuild_grpc.add_RebuildServiceServicer_to_server(rebuilding, server),
            ),
            Service(
                training_pb2.DESCRIPTOR.services_by_name["TrainingService"].full_name,
                lambda server: training_grpc.add_TrainingServiceServicer_to_server(training, server),
            ),
        ]
        await serve_worker("decomposer", settings, services, HANDLERS)


if __name__ == "__main__":
    run(main())
