"""From modules that are there to what was asked for: one classifier of them, and files."""

from __future__ import annotations

from collections.abc import Sequence

from google.longrunning import operations_pb2

from modelfoundry.api.registry.v1 import known_resources_pb2
from modelfoundry.api.reuser.v1 import composing_pb2
from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.client import ValidationSplit
from modelfoundry.reuser.on_demand.wanted import Answers, WantedModules
from modelfoundry.reuser.submissions import Submissions
from modelfoundry.values.kinds import Kind
from modelfoundry.wire.computing import device_to_proto, validation_to_proto
from modelfoundry.wire.exports import COMPUTE, WEIGHT_FORMAT, export_format_to_proto
from modelfoundry.wire.known import known_to_proto
from modelfoundry.workbench.resources import AsyncResources
from modelfoundry.workbench.subject_names import subject_collection


class Delivery:
    """Starts the jobs that a request ends with; equal work gives the jobs that are there, done ones too.

    Args:
        submissions: The reuser's own work.
    """

    def __init__(self, submissions: Submissions) -> None:
        self._submissions = submissions

    async def compose(
        self, wanted: WantedModules, answers: Answers, resources: AsyncResources, request_id: str = ""
    ) -> operations_pb2.Operation:
        """Joins the modules to one classifier of the labels, under the words of the request.

        Args:
            wanted: The request.
            answers: The modules, all of which are there.
            resources: Of the call or job that this is part of.
            request_id: UUID4 of the job, where one is to be started at most once.

        Raises:
            ModelFoundryError: as `Submissions.compose`.
        """
        labels = [
            composing_pb2.NewLabel(
                label=answer.label, source_label=answer.match.label, sources=[answer.module], dataset=answer.dataset
            )
            for answer in answers
        ]
        request = composing_pb2.ComposeModelRequest(
            parent=wanted.parent,
            new_task=composing_pb2.NewTask(labels=labels),
            validation=validation_to_proto(await _validation(answers, resources)),
            calibrate=True,
            device=device_to_proto(wanted.device),
            request_id=request_id,
        )
        return await self._submissions.compose(request, resources)

    async def export(
        self, wanted: WantedModules, subject: str, resources: AsyncResources, request_id: str = ""
    ) -> operations_pb2.Operation:
        """Writes a classifier or a module, `subject`, as files; the rest as for `compose`.

        Raises:
            ModelFoundryError: as `Submissions.export`.
        """
        if wanted.format is None:
            raise ValueError("the request asks for no files")
        known = known_resources_pb2.KnownResources()
        if subject_collection(subject, field="subject") == Kind.MODULE:
            # Modules of one model are written by a job each: these need not all read the model.
            known = known_to_proto(await resources.model((await resources.module(subject)).base_model))
        request = pb.ExportRequest(
            parent=wanted.parent,
            subject=subject,
            format=export_format_to_proto(wanted.format),
            compact=wanted.compact,
            weights=WEIGHT_FORMAT.to_proto(wanted.form.weights),
            compute=COMPUTE.to_proto(wanted.form.compute),
            request_id=request_id,
            known=known,
        )
        return await self._submissions.export(request, resources)


async def _validation(answers: Answers, resources: AsyncResources) -> ValidationSplit:
    """How the modules' searches cut validation data, where all did it in the same way; else the default."""
    cuts = {(await resources.module(answer.module)).record.validation for answer in answers}
    common = cuts.pop() if len(cuts) == 1 else ValidationSplit()
    return common if common.fraction else ValidationSplit()


def subjects_of(wanted: WantedModules, answers: Answers, composition: str) -> Sequence[str]:
    """What is to be written as files."""
    if wanted.format is None:
        return []
    return [composition] if wanted.compose else list(dict.fromkeys(answer.module for answer in answers))
