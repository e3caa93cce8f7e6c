# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Calls that compose classifiers of modules and models."""

from __future__ import annotations

from collections.abc import Sequence

from modelfoundry.api.reuser.v1 import composing_pb2
from modelfoundry.client._sync.jobs import Job, start
from modelfoundry.client.endpoints import Service
from modelfoundry.client.requests import chosen, new_request_id
from modelfoundry.client.transport import Transport
from modelfoundry.values.composing import NewLabel, Strategy
from modelfoundry.values.computing import Device, ValidationSplit
from modelfoundry.values.kinds import Kind
from modelfoundry.values.references import Named, full_name, subject_name
from modelfoundry.values.results import ComposedModel
from modelfoundry.wire.composing import new_label_to_proto, strategy_to_proto
from modelfoundry.wire.computing import device_to_proto, validation_to_proto


class Composing:
    """The part of a client that composes; see `Client`."""

    parent: str
    _transport: Transport

    def compose(
        self,
        sources: Sequence[Named],
        dataset: Named,
        *,
        validation: ValidationSplit | None = None,
        score: str = "f1",
        strategy: Strategy | str = Strategy.JOINT,
        calibrate: bool = False,
        composition_id: str = "",
        device: Device | str = Device.AUTO,
        force: bool = False,
        allow_different_preprocessing: bool = False,
        request_id: str | None = None,
    ) -> Job[ComposedModel]:
        """Starts choosing, for every label that several models share, the best of their modules (GradSplitter).

        What comes of it is compared with every source and with their ensemble; the record has all figures. A
        composition behaves like a model: evaluate it, predict with it, export it, compose it again.

        Args:
            sources: Two or more models (ids, names or `Model`) and compositions (`compositions/ID`) of the same labels.
            dataset: Labelled images to choose on: id, name or `Dataset`.
            validation: How validation data is cut from the training split. None: a tenth, seed 0.
            score: What candidates of a label are ranked by: `f1`, `precision`, `recall` or `accuracy`.
            strategy: `joint` or `per_label`.
            calibrate: Fit scale and bias of every candidate on validation data first (Platt scaling).
            composition_id: Last segment of the composition's name. Empty: made from task, sources and settings.
            device: `auto`, `cpu` or `cuda`.
            force: Compose again even when an equal composition exists.
            allow_different_preprocessing: Join models although they normalise images differently.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            InvalidField, UnknownLabel, DatasetMismatch, TestSplitSealed, NotFound, Unavailable: as the service says.
        """
        names = [_model_or_composition(source, self.parent) for source in sources]
        request = composing_pb2.ComposeModelRequest(
            more_accurate=composing_pb2.MoreAccurateTask(sources=names),
            allow_different_preprocessing=allow_different_preprocessing,
        )
        return self._compose(
            request,
            dataset,
            validation=validation,
            score=score,
            strategy=strategy,
            calibrate=calibrate,
            composition_id=composition_id,
            device=device,
            force=force,
            request_id=request_id,
        )

    def compose_labels(
        self,
        labels: Sequence[NewLabel],
        dataset: Named | None = None,
        *,
        validation: ValidationSplit | None = None,
        score: str = "f1",
        strategy: Strategy | str = Strategy.JOINT,
        calibrate: bool = False,
        composition_id: str = "",
        device: Device | str = Device.AUTO,
        force: bool = False,
        request_id: str | None = None,
    ) -> Job[ComposedModel]:
        """Starts composing a new task: a classifier of labels that different models know from different data sets.

        Args:
            labels: Two or more, in the order of the composition's outputs.
            dataset: Images of labels that name no data set of their own.
            validation: How validation data is cut from the training split. None: a tenth, seed 0.
            score: What candidates of a label are ranked by: `f1`, `precision`, `recall` or `accuracy`.
            strategy: `joint` or `per_label`.
            calibrate: Fit scale and bias of every candidate on validation data first (Platt scaling).
            composition_id: Last segment of the composition's name. Empty: made from task, sources and settings.
            device: `auto`, `cpu` or `cuda`.
            force: Compose again even when an equal composition exists.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            InvalidField, UnknownLabel, DatasetMismatch, TestSplitSealed, NotFound, Unavailable: as the service says.
        """
        new = [new_label_to_proto(label, self.parent) for label in labels]
        request = composing_pb2.ComposeModelRequest(new_task=composing_pb2.NewTask(labels=new))
        return self._compose(
            request,
            dataset,
            validation=validation,
            score=score,
            strategy=strategy,
            calibrate=calibrate,
            composition_id=composition_id,
            device=device,
            force=force,
            request_id=request_id,
        )

    def patch(
        self,
        model: Named,
        sources: Sequence[Named],
        dataset: Named,
        *,
        labels: Sequence[str] = (),
        validation: ValidationSplit | None = None,
        score: str = "f1",
        strategy: Strategy | str = Strategy.JOINT,
        calibrate: bool = False,
        composition_id: str = "",
        device: Device | str = Device.AUTO,
        force: bool = False,
        allow_different_preprocessing: bool = False,
        request_id: str | None = None,
    ) -> Job[ComposedModel]:
        """Starts replacing the labels at which a model is weak, and only where no other label suffers.

        Args:
            model: The model to patch: id, name or `Model`.
            sources: Modules (bare ids), models (`models/ID`) and compositions (`compositions/ID`) to take from.
            dataset: Labelled images to choose on: id, name or `Dataset`.
            labels: Labels to replace. Empty: those whose F1 on validation data is more than one standard deviation
                below the mean.
            validation: How validation data is cut from the training split. None: a tenth, seed 0.
            score: What candidates of a label are ranked by: `f1`, `precision`, `recall` or `accuracy`.
            strategy: `joint` or `per_label`.
            calibrate: Fit scale and bias of every candidate on validation data first (Platt scaling).
            composition_id: Last segment of the composition's name. Empty: made from task, sources and settings.
            device: `auto`, `cpu` or `cuda`.
            force: Compose again even when an equal composition exists.
            allow_different_preprocessing: Join models although they normalise images differently.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            InvalidField, UnknownLabel, DatasetMismatch, TestSplitSealed, NotFound, Unavailable: as the service says.
        """
        task = composing_pb2.PatchTask(
            model=full_name(model, Kind.MODEL, self.parent),
            labels=labels,
            sources=[subject_name(source, self.parent) for source in sources],
        )
        return self._compose(
            composing_pb2.ComposeModelRequest(patch=task, allow_different_preprocessing=allow_different_preprocessing),
            dataset,
            validation=validation,
            score=score,
            strategy=strategy,
            calibrate=calibrate,
            composition_id=composition_id,
            device=device,
            force=force,
            request_id=request_id,
        )

    def _compose(
        self,
        request: composing_pb2.ComposeModelRequest,
        dataset: Named | None,
        *,
        validation: ValidationSplit | None,
        score: str,
        strategy: Strategy | str,
        calibrate: bool,
        composition_id: str,
        device: Device | str,
        force: bool,
        request_id: str | None,
    ) -> Job[ComposedModel]:
        """Starts a composition of a request that has its task already."""
        request.parent = self.parent
        request.dataset = "" if dataset is None else full_name(dataset, Kind.DATASET, self.parent)
        request.validation.CopyFrom(validation_to_proto(validation or ValidationSplit()))
        request.score = score
        request.strategy = strategy_to_proto(chosen(strategy, Strategy, "strategy"))
        request.calibrate = calibrate
        request.composition_id = composition_id
        request.device = device_to_proto(chosen(device, Device, "device"))
        request.force = force
        request.request_id = request_id or new_request_id()
        return start(self._transport, Service.REUSER, self._transport.stubs.reuser.ComposeModel, request)


def _model_or_composition(source: Named, parent: str) -> str:
    """The full name of a source; a bare id names a model."""
    if isinstance(source, str) and "/" not in source:
        return full_name(source, Kind.MODEL, parent)
    return subject_name(source, parent)
