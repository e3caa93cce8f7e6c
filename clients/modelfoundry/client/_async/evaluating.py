"""Calls that measure models, modules and compositions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modelfoundry.client._async.jobs import AsyncJob
from modelfoundry.client._async.verbs import AsyncVerbs
from modelfoundry.client.requests import chosen
from modelfoundry.values.computing import Device
from modelfoundry.values.problems import Problem, problem_from
from modelfoundry.values.references import Named
from modelfoundry.values.resources import Evaluation


class AsyncEvaluating:
    """The part of a client that measures; see `AsyncClient`."""

    _verbs: AsyncVerbs

    async def evaluate(
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
        device: Device | str = Device.AUTO,
        request_id: str | None = None,
    ) -> AsyncJob[tuple[Evaluation, ...]]:
        """Starts measuring models and modules on one split; what was found is stored in the registry.

        Args:
            subjects: One or up to 1000 models and modules. A bare id names a module; write `models/ID` for a model.
            dataset: Labelled images: id, name or `Dataset`. Several: a composition of labels from these data sets is
                measured on all of them in one evaluation.
            split: The split.
            baselines: For every module also measure its base model on the module's problem, both ways. For every
                composition what it was compared with, and on several data sets how well it does within each.
            modularity: Also measure every module as a software module: cohesion, coupling with the other modules of
                the same base among the subjects, reuse gain. Implies `baselines`.
            label: For models: pose this binary problem in place of all labels.
            labels: For models: pose this multi-class problem.
            problem: For models: pose this problem.
            latency_batch_sizes: Batch sizes at which to time the forward pass. Empty: no timing.
            device: `auto`, `cpu` or `cuda`.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Returns:
            A job that results in the evaluations, subjects in the order asked, each followed by its baselines.

        Raises:
            DatasetMismatch, UnknownLabel, InvalidField, NotFound, Unavailable: as the service says.
        """
        given = [subjects] if isinstance(subjects, Named) else list(subjects)
        return await self._verbs.evaluate(
            given,
            [dataset] if isinstance(dataset, Named) else list(dataset),
            split=split,
            baselines=baselines,
            modularity=modularity,
            problem=problem_from(problem, label, labels),
            latency_batch_sizes=latency_batch_sizes,
            device=chosen(device, Device, "device"),
            request_id=request_id,
        )
