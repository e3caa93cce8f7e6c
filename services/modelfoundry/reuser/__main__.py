"""`python -m modelfoundry.reuser`: starts the reuser with settings from the environment."""

from __future__ import annotations

from typing import Final

from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.api.reuser.v1 import reuser_service_pb2_grpc as pb_grpc
from modelfoundry.artifacts.queue import JobQueue
from modelfoundry.artifacts.service import serve_worker
from modelfoundry.client import AsyncClient, Client
from modelfoundry.reuser.predict import Predictor
from modelfoundry.reuser.servicer import COMPACT_KIND, COMPOSE_KIND, EXPORT_KIND, ReuserServicer
from modelfoundry.reuser.settings import ReuserSettings
from modelfoundry.runtime.server import Service, run

HANDLERS: Final = {
    EXPORT_KIND: "modelfoundry.reuser.jobs:run_export",
    COMPACT_KIND: "modelfoundry.reuser.jobs:run_compact",
    COMPOSE_KIND: "modelfoundry.reuser.jobs:run_compose",
}


async def main() -> None:
    """Joins the parts and serves."""
    settings = ReuserSettings()
    with Client(settings.endpoints) as blocking_client:
        predictor = Predictor(blocking_client, settings.cache, settings.loaded_networks)
        async with AsyncClient(settings.endpoints) as client:
            reuser = ReuserServicer(client, JobQueue(settings.endpoints), predictor, settings.predictions_at_a_time)
            service = Service(
                pb.DESCRIPTOR.services_by_name["ReuserService"].full_name,
                lambda server: pb_grpc.add_ReuserServiceServicer_to_server(reuser, server),
            )
            await serve_worker("reuser", settings, [service], HANDLERS)


if __name__ == "__main__":
    run(main())
