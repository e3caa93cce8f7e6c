# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Calls that measure models, modules and compositions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modelfoundry.api.evaluator.v1 import evaluator_service_pb2
from modelfoundry.client._sync.jobs import Job, start
from modelfoundry.client.endpoints import Service
from modelfoundry.client.requests import chosen, new_request_id
from modelfoundry.client.transport import Transport
from modelfoundry.values.computing import Device
from modelfoundry.values.file_forms import Compute
from modelfoundry.values.kinds import Kind
from modelfoundry.values.problems import Problem, problem_from
from modelfoundry.values.references import Named, full_name, subject_name
from modelfoundry.values.resources import Evaluation
from modelfoundry.wire.computing import device_to_proto, problem_to_proto
from modelfoundry.wire.exports import COMPUTE


class Evaluating:
    """The part of a client that measures; see `Client`."""

    parent: str
    _transport: Transport

    def evaluate(
        self,
        subjects: Named | Iterable[Named],
        dataset: Named | Iterable[Named],
        *,
        split: str = "test",
        baselines: bool = False,
        modularity: bool = False,
        label: str | None = None,
        labels: Sequence[str] | None = None,
        problem: Problem | None = None,
        latency_batch_sizes: Sequence[int] = (),
        compute: Compute | str | None = None,
        device: Device | str = Device.AUTO,
        request_id: str | None = None,
    ) -> Job[tuple[Evaluation, ...]]:
        """Starts measuring models and modules on one split; what was found is stored in the registry.

        Args:
            subjects: One or up to 1000 models and modules. A bare id names a module; write `models/ID` for a model.
            dataset: Labelled images: id, name or `Dataset`. Several: a composition of labels from these data sets is
                measured on all of them in one evaluation.
            split: The split.
            baselines: For every module also measure its base model on the module's problem, in every way. For every
                composition what it was compared with, and on several data sets how well it does within each.
            modularity: Also measure every module as a software module: cohesion, coupling with the other modules of
                the same base among the subjects, reuse gain. Implies `baselines`.
            label: For models: pose this binary problem in place of all labels.
            labels: For models: pose this multi-class problem.
            problem: For models: pose this problem.
            latency_batch_sizes: Batch sizes at which to time the forward pass. Empty: no timing.
            compute: `int8`: also measure what every subject's export in int8 answers, calibrated on the data set that
                it was made with, else on the training split of this one. None: `fp32` alone.
            device: `auto`, `cpu` or `cuda`.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Returns:
            A job that results in the evaluations, subjects in the order asked, each followed by its baselines.

        Raises:
            DatasetMismatch, UnknownLabel, InvalidField, NotFound, Unavailable: as the service says.
        """
        measured = [subjects] if isinstance(subjects, Named) else subjects
        datasets = [dataset] if isinstance(dataset, Named) else dataset
        first, *others = [full_name(each, Kind.DATASET, self.parent) for each in datasets] or [""]
        posed = problem_from(problem, label, labels)
        request = evaluator_service_pb2.EvaluateRequest(
            parent=self.parent,
            subjects=[subject_name(subject, self.parent) for subject in measured],
            dataset=first,
            other_datasets=others,
            split=split,
            baselines=baselines,
            modularity=modularity,
            problem=None if posed is None else problem_to_proto(posed),
            latency_batch_sizes=latency_batch_sizes,
            compute=COMPUTE.to_proto(None if compute is None else chosen(compute, Compute, "compute")),
            device=device_to_proto(chosen(device, Device, "device")),
            request_id=request_id or new_request_id(),
        )
        return start(self._transport, Service.EVALUATOR, self._transport.stubs.evaluator.Evaluate, request)
