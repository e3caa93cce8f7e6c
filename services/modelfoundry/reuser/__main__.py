"""`python -m modelfoundry.reuser`: starts the reuser with settings from the environment."""

from __future__ import annotations

from modelfoundry.api.inference.v2 import open_inference_pb2
from modelfoundry.api.inference.v2 import open_inference_pb2_grpc as inference_grpc
from modelfoundry.api.reuser.v1 import on_demand_service_pb2, on_demand_service_pb2_grpc
from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.api.reuser.v1 import reuser_service_pb2_grpc as pb_grpc
from modelfoundry.client import AsyncClient, Client
from modelfoundry.reuser.jobs import HANDLERS, WAITING_HANDLERS
from modelfoundry.reuser.on_demand.decompositions import Decompositions
from modelfoundry.reuser.on_demand.delivery import Delivery
from modelfoundry.reuser.on_demand.servicer import OnDemandServicer
from modelfoundry.reuser.open_inference.servicer import InferenceServicer
from modelfoundry.reuser.predictions import predicting
from modelfoundry.reuser.servicer import ReuserServicer
from modelfoundry.reuser.settings import ReuserSettings
from modelfoundry.reuser.submissions import Submissions
from modelfoundry.runtime.channels import open_channel
from modelfoundry.runtime.server import Service, run
from modelfoundry.workbench.followed import following
from modelfoundry.workbench.queue import JobQueue
from modelfoundry.workbench.service import registry_check, serve_worker


async def main() -> None:
    """Joins the parts and serves."""
    settings = ReuserSettings()
    with Client(settings.endpoints) as blocking_client:
        async with (
            AsyncClient(settings.endpoints) as client,
            open_channel(settings.registry) as registry,
            predicting(settings, blocking_client) as predictor,
            following(registry) as followed,
        ):
            queue = JobQueue(settings.endpoints)
            submissions = Submissions(queue)
            reuser = ReuserServicer(client, submissions, predictor, followed)
            decompositions = Decompositions(settings.endpoints)
            on_demand = OnDemandServicer(settings.endpoints, queue, decompositions, Delivery(submissions))
            inference = InferenceServicer(client, predictor, followed, registry_check(registry, settings.registry))
            services = [
                Service(
                    pb.DESCRIPTOR.services_by_name["ReuserService"].full_name,
                    lambda server: pb_grpc.add_ReuserServiceServicer_to_server(reuser, server),
                ),
                Service(
                    on_demand_service_pb2.DESCRIPTOR.services_by_name["OnDemandService"].full_name,
                    lambda server: on_demand_service_pb2_grpc.add_OnDemandServiceServicer_to_server(on_demand, server),
                ),
                Service(
                    open_inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name,
                    lambda server: inference_grpc.add_GRPCInferenceServiceServicer_to_server(inference, server),
                ),
            ]
            await serve_worker("reuser", settings, services, HANDLERS, WAITING_HANDLERS)


if __name__ == "__main__":
    run(main())
