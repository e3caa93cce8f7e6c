"""What a worker does for a request: have modules made and measured, joined and written, by jobs of other workers."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from google.longrunning import operations_pb2

from modelfoundry.api.reuser.v1 import on_demand_service_pb2 as pb
from modelfoundry.api.reuser.v1 import reuser_service_pb2
from modelfoundry.client import (
    AsyncClient,
    ComposedModel,
    Export,
    JobStatus,
    Module,
    ModuleOrigin,
    RequestedModule,
)
from modelfoundry.errors import Internal, ModelFoundryError, UnsupportedModel
from modelfoundry.names import shortened
from modelfoundry.reuser.on_demand.choosing import broken, figures_text, unmeasured
from modelfoundry.reuser.on_demand.decompositions import Decompositions, in_terms_of_the_request
from modelfoundry.reuser.on_demand.delivery import Delivery, subjects_of
from modelfoundry.reuser.on_demand.offers import ModuleOffer
from modelfoundry.reuser.on_demand.outcomes import module_of, taken, unmet
from modelfoundry.reuser.on_demand.plan import how_made
from modelfoundry.reuser.on_demand.shortlist import module_offer, quoted
from modelfoundry.reuser.on_demand.sub_jobs import SubJob, SubJobs
from modelfoundry.reuser.on_demand.wanted import Answers, WantedModules, wanted_from_proto
from modelfoundry.reuser.settings import ReuserSettings
from modelfoundry.reuser.submissions import Submissions
from modelfoundry.runtime.jobs import JobContext
from modelfoundry.wire.exports import export_to_proto
from modelfoundry.wire.jobs import job_status_from_proto
from modelfoundry.wire.known import known_to_proto
from modelfoundry.wire.on_demand import requested_module_from_proto, requested_module_to_proto
from modelfoundry.workbench.queue import JobQueue
from modelfoundry.workbench.resources import AsyncResources
from modelfoundry.workbench.splits import SEALED_SPLIT

Result = TypeVar("Result")


def run_request(work: pb.RequestModulesWork, context: JobContext) -> pb.RequestModulesResponse:
    """Carries a queued RequestModules out. It computes nothing itself: it waits, in a thread of the server."""
    return asyncio.run(_run(work, context))


async def _run(work: pb.RequestModulesWork, context: JobContext) -> pb.RequestModulesResponse:
    wanted = wanted_from_proto(work.request)
    endpoints = replace(ReuserSettings().endpoints, registry=context.registry)
    queue, decompositions = JobQueue(endpoints), Decompositions(endpoints)
    try:
        async with AsyncClient(endpoints, parent=wanted.parent) as client:
            fulfilment = Fulfilment(wanted, AsyncResources(client), decompositions, Submissions(queue), context)
            return await fulfilment.run(tuple(map(requested_module_from_proto, work.modules)))
    finally:
        await decompositions.close()
        await queue.close()


class Fulfilment:
    """Gets everything that a request asked for and the registry did not have.

    Args:
        wanted: The request.
        resources: Of the job, with its client.
        decompositions: Access to the decomposer.
        submissions: The reuser's own work.
        context: The job.
    """

    def __init__(
        self,
        wanted: WantedModules,
        resources: AsyncResources,
        decompositions: Decompositions,
        submissions: Submissions,
        context: JobContext,
    ) -> None:
        self._wanted = wanted
        self._client = resources.client
        self._resources = resources
        self._decompositions = decompositions
        self._submissions = submissions
        self._delivery = Delivery(submissions)
        self._jobs = SubJobs(resources.client, context)
        self._log = context.log

    async def run(self, answers: Answers) -> pb.RequestModulesResponse:
        """Measures, makes, joins and writes, in this order.

        Args:
            answers: What was chosen when the request came.

        Raises:
            ConstraintUnmet: a module that was made does not satisfy a constraint.
            ModelFoundryError: a job that this one waited for failed.
        """
        answers = tuple([await self._measured(answer) for answer in answers])
        answers = await self._made(answers)
        composition = ""
        if self._wanted.compose:
            job = _sub_job(
                "joining the modules",
                "compose",
                lambda request_id: self._delivery.compose(self._wanted, answers, self._resources, request_id),
            )
            composition = _as(ComposedModel, await self._jobs.result(job)).composition.name
        subjects = subjects_of(self._wanted, answers, composition)
        exports = await self._jobs.results([self._export(subject) for subject in subjects])
        return pb.RequestModulesResponse(
            modules=map(requested_module_to_proto, answers),
            composition=composition,
            exports=[export_to_proto(_as(Export, export)) for export in exports],
        )

    async def _measured(self, answer: RequestedModule) -> RequestedModule:
        """The first of the modules to be measured that satisfies the constraints; else one is to be made."""
        if answer.origin is not ModuleOrigin.TO_BE_MEASURED:
            return answer
        tried: list[str] = []
        for name in answer.to_be_measured:
            offer = await self._timed(name)
            missed = broken(offer, self._wanted.constraints)
            unknown = unmeasured(offer, self._wanted.constraints)
            if not unknown and not missed:
                why = (
                    f"the surest module that satisfies the constraints, now that it is measured: {figures_text(offer)}"
                )
                return taken(answer, offer, ModuleOrigin.REGISTERED, why)
            tried.append(f"{name}: {figures_text(offer)}")
        if not answer.model:
            raise unmet(answer, offer, self._wanted.constraints, missed or unknown)
        return replace(
            answer,
            origin=ModuleOrigin.TO_BE_MADE,
            reason=f"no measured module satisfies the constraints ({'; '.join(tried)}){how_made(self._wanted)}",
        )

    async def _timed(self, name: str) -> ModuleOffer:
        """A module with its figures, measured where that was not done yet; without where it cannot be measured."""
        offer = await self._offer(name)
        if unmeasured(offer, self._wanted.constraints):
            try:
                await self._jobs.result(self._compaction(name))
            except UnsupportedModel as error:
                self._log(f"{name} cannot be measured: {error.message}", "warning")
            self._resources.known.forget(name)  # its figures are there now
            offer = await self._offer(name)
        return offer

    def _compaction(self, name: str) -> SubJob:
        async def start(request_id: str) -> operations_pb2.Operation:
            base = await self._resources.model((await self._resources.module(name)).base_model)
            request = reuser_service_pb2.CompactRequest(
                parent=self._wanted.parent, module=name, request_id=request_id, known=known_to_proto(base)
            )
            return await self._submissions.compact(request, self._resources)

        return _sub_job(f"measuring {name}", f"compact {name}", start)

    async def _offer(self, name: str) -> ModuleOffer:
        module = await self._resources.module(name)
        base = await self._resources.model(module.base_model)
        return module_offer(module, base, compact=self._wanted.compact, form=self._wanted.file_form)

    async def _made(self, answers: Answers) -> Answers:
        """Has everything made that is to be, all at a time, and measured on test data; then checks it."""
        missing = [answer for answer in answers if answer.origin is ModuleOrigin.TO_BE_MADE]
        names = dict(zip(missing, await self._decomposed(missing), strict=True)) if missing else {}
        await self._evaluated(list(names.values()))
        return tuple(
            [await self._checked(answer, names[answer].name) if answer in names else answer for answer in answers]
        )

    async def _decomposed(self, missing: Sequence[RequestedModule]) -> list[Module]:
        """Modules in the order of what is missing; labels of one search share its job."""
        searches = {self._search(answer): answer for answer in missing}
        try:
            found = await self._jobs.results([self._decomposition(key, answer) for key, answer in searches.items()])
        except ModelFoundryError as error:
            raise in_terms_of_the_request(error, self._wanted) from error
        modules = dict(zip(searches, found, strict=True))
        made = [module_of(answer.match.label, modules[self._search(answer)]) for answer in missing]
        self._resources.known.add(*made)
        return made

    def _search(self, answer: RequestedModule) -> str:
        """Names one search of the decomposer."""
        label = "" if self._wanted.jointly else answer.match.label
        return f"{answer.model} {answer.dataset} {label}"

    def _decomposition(self, search: str, answer: RequestedModule) -> SubJob:
        what = "all labels" if self._wanted.jointly else shortened(answer.match.label, 40)
        title = f"making {what} from {answer.model.rpartition('/')[2]}"

        return _sub_job(
            title,
            f"decompose {search}",
            lambda request_id: self._decompositions.start(self._wanted, answer, self._resources, request_id),
        )

    async def _evaluated(self, modules: Sequence[Module]) -> None:
        """Measures modules on the test split of their data sets, those that were not measured there yet."""
        by_dataset: dict[str, list[str]] = defaultdict(list)
        for module in modules:
            dataset = await self._resources.dataset(module.dataset)
            if SEALED_SPLIT not in {split.split for split in dataset.splits}:
                self._log(f"{module.name} is not measured: {dataset.name} has no split {SEALED_SPLIT!r}", "warning")
            elif not [each async for each in self._client.evaluations.list(_measured_on_test(module))]:
                by_dataset[dataset.name].append(module.name)
        await self._jobs.results([self._evaluation(dataset, names) for dataset, names in by_dataset.items()])

    def _evaluation(self, dataset: str, modules: Sequence[str]) -> SubJob:
        async def start(request_id: str) -> JobStatus:
            job = await self._client.evaluate(modules, dataset, device=self._wanted.device, request_id=request_id)
            return job.status

        return SubJob("measuring what was made", f"evaluate {dataset}", start)

    async def _checked(self, answer: RequestedModule, name: str) -> RequestedModule:
        constraints = self._wanted.constraints
        offer = await self._timed(name)
        missed = (*broken(offer, constraints), *unmeasured(offer, constraints))
        if missed:
            raise unmet(answer, offer, self._wanted.constraints, missed)
        return taken(answer, offer, ModuleOrigin.MADE, f"{answer.reason}; what was made: {figures_text(offer)}")

    def _export(self, subject: str) -> SubJob:
        return _sub_job(
            f"writing {subject}",
            f"export {subject}",
            lambda request_id: self._delivery.export(self._wanted, subject, self._resources, request_id),
        )


def _sub_job(title: str, what: str, start: Callable[[str], Awaitable[operations_pb2.Operation]]) -> SubJob:
    async def started(request_id: str) -> JobStatus:
        return job_status_from_proto(await start(request_id))

    return SubJob(title, what, started)


def _measured_on_test(module: Module) -> str:
    return f"subject = {quoted(module.name)} AND split = {quoted(SEALED_SPLIT)}"


def _as(kind: type[Result], result: object) -> Result:
    if not isinstance(result, kind):
        raise Internal(f"a job gave a {type(result).__name__} in place of a {kind.__name__}")
    return result
