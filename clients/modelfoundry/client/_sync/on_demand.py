# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Calls that give modules for labels, and make what is missing."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from modelfoundry.api.registry.v1 import label_service_pb2
from modelfoundry.api.reuser.v1 import on_demand_service_pb2, reuser_service_pb2
from modelfoundry.client._sync.jobs import Job
from modelfoundry.client._sync.results import requested_modules
from modelfoundry.client._sync.reusing import compute_to_proto, weights_to_proto
from modelfoundry.client.endpoints import Service
from modelfoundry.client.requests import chosen
from modelfoundry.client.transport import Transport
from modelfoundry.errors import InvalidField
from modelfoundry.values.computing import Device
from modelfoundry.values.exports import ExportFormat
from modelfoundry.values.file_forms import Compute, WeightFormat
from modelfoundry.values.kinds import Kind
from modelfoundry.values.on_demand import FoundLabels, RequestedModule
from modelfoundry.values.recipes import ALGORITHM_OF, GradSplitterRecipe, SeamRecipe
from modelfoundry.values.references import Named, full_name
from modelfoundry.values.results import (
    Progress,
    RequestedModules,
)
from modelfoundry.wire.computing import device_to_proto
from modelfoundry.wire.decomposing import recipe_class
from modelfoundry.wire.exports import export_format_to_proto
from modelfoundry.wire.on_demand import found_labels_from_proto, requested_module_from_proto
from modelfoundry.wire.recipes import named_settings, recipe_to_proto
from modelfoundry.wire.well_known import struct_to_proto

OF_BASE: Final = "base"
"""In place of a least accuracy: that of the base on the same samples."""


class ModuleRequest:
    """What was answered at once, and the job to follow for the rest.

    Attributes:
        answers: One for every label, in the order asked: which module, and why, or what one is being made from.
        job: The job that gets what is missing. None: everything is there, or nothing was to be started.
    """

    def __init__(
        self,
        transport: Transport,
        response: on_demand_service_pb2.RequestModulesResponse,
        *,
        validated: bool = False,
    ) -> None:
        self._transport = transport
        self._validated = validated
        self._response = response
        self.answers: tuple[RequestedModule, ...] = tuple(map(requested_module_from_proto, response.modules))
        self.job: Job[RequestedModules] | None = (
            Job(transport, response.operation) if response.HasField("operation") else None
        )

    def wait(
        self,
        on_progress: Callable[[Progress], None] | None = None,
        timeout: float | None = None,
    ) -> RequestedModules:
        """Returns everything that was asked for, at once or when the job is done.

        Args:
            on_progress: Called with how far the job is.
            timeout: Seconds to wait at most. The job goes on when they are over.

        Raises:
            ConstraintUnmet: a module that was made does not satisfy a constraint; it stays registered.
            DeadlineExceeded: `timeout` is over.
            Cancelled: the job was cancelled.
            InvalidField: the request was only to be validated.
            ModelFoundryError: the job failed, with the class and hint that the worker gave.
        """
        if self._validated:
            raise InvalidField(
                "validate_only: nothing was started that could be waited for",
                field="validate_only",
                hint="read `answers`, or ask again without validate_only",
            )
        if self.job is not None:
            return self.job.wait(on_progress, timeout)
        return requested_modules(self._transport, self._response)


class OnDemand:
    """The part of a client that asks for modules by label; see `Client`."""

    parent: str
    _transport: Transport

    def request(
        self,
        labels: Sequence[str],
        *,
        compose: bool = False,
        format: ExportFormat | str | None = None,
        compact: bool = False,
        weights: WeightFormat | str | None = None,
        compute: Compute | str | None = None,
        min_accuracy: float | Literal["base"] = 0.0,
        max_bytes: int = 0,
        max_latency_ms: float = 0.0,
        max_macs: float = 0.0,
        max_latency: float = 0.0,
        license: str = "",
        dataset: Named | None = None,
        architecture: str = "",
        algorithm: str = "",
        recipe: SeamRecipe | GradSplitterRecipe | None = None,
        settings: Mapping[str, Any] | None = None,
        device: Device | str = Device.AUTO,
        calibration_split: str = "",
        validate_only: bool = False,
    ) -> ModuleRequest:
        """Gives modules for labels: those that are registered at once, the others made now, each with the reason.

        The most accurate registered module that satisfies the constraints is taken, by validation figures only; what
        is missing is decomposed from the best model that knows the label, measured and registered.

        Args:
            labels: Labels in words, each once. A synonym stands for the label that models know.
            compose: Join the modules to one classifier of the labels.
            format: Also write files: `safetensors`, `torch_export` or `onnx`, of the classifier or of every module.
            compact: Write files without dead channels.
            weights: How files keep their weights: `fp32`, `fp16` or `int8`; see `Client.export`.
            compute: What files compute with: `fp32` or, for ONNX, `int8`.
            min_accuracy: Least accuracy on validation samples, in [0, 1]; `base`: that of the base on the same samples.
            max_bytes: Most bytes of a module's artifact; of a network that was searched within budgets, of its file.
            max_latency_ms: Most milliseconds of one image.
            max_macs: Most multiply-accumulates as a share of the base's, in (0, 1]. Masks leave all of them: what is
                missing is made by `specialise` where this or the next asks for less, unless an algorithm is named.
            max_latency: Longest time of one image as a share of the base's, in (0, 1].
            license: SPDX licence expression.
            dataset: Data set that the modules were, or are to be, searched on.
            architecture: Builder of the base model, for example `zoo:resnet20`.
            algorithm: Name of the algorithm that modules were, or are to be, searched by; `algorithms` lists them.
            recipe: How missing modules are searched. None: as `settings` say; SeaM's first recipe without algorithm.
            settings: Settings of the algorithm by name, `recipe` for the recipe that the others come from.
            device: `auto`, `cpu` or `cuda`.
            calibration_split: Split that what is missing is judged on, of images that the model did not train on.
            validate_only: Say what would be taken and made, and start nothing; there is nothing to wait for then.

        Raises:
            UnknownLabel: no model knows a label; the nearest known ones are named.
            ConstraintUnmet: nothing satisfies the constraints, and nothing is there to make a module from.
            InvalidField, DatasetMismatch, NotFound, Unavailable: as the services say.
        """
        if isinstance(labels, str):
            raise InvalidField("labels: a single string", field="labels", hint="pass a list of labels")
        if recipe is not None and settings is not None:
            raise InvalidField("recipe and settings were given together", field="settings", hint="give one of the two")
        request = on_demand_service_pb2.RequestModulesRequest(
            parent=self.parent,
            labels=labels,
            constraints=on_demand_service_pb2.ModuleConstraints(
                min_accuracy=0.0 if min_accuracy == OF_BASE else float(min_accuracy),
                min_accuracy_of_base=min_accuracy == OF_BASE,
                max_bytes=max_bytes,
                max_latency_ms=max_latency_ms,
                max_macs=max_macs,
                max_latency=max_latency,
                license=license,
                dataset="" if dataset is None else full_name(dataset, Kind.DATASET, self.parent),
                architecture=architecture,
                algorithm=algorithm,
            ),
            compose=compose,
            format=reuser_service_pb2.EXPORT_FORMAT_UNSPECIFIED
            if format is None
            else export_format_to_proto(chosen(format, ExportFormat, "format")),
            compact=compact,
            weights=weights_to_proto(weights),
            compute=compute_to_proto(compute),
            device=device_to_proto(chosen(device, Device, "device")),
            settings=struct_to_proto(settings or {}),
            calibration_split=calibration_split,
            validate_only=validate_only,
        )
        if recipe is not None:
            name = ALGORITHM_OF[type(recipe)]
            getattr(request, name).CopyFrom(recipe_to_proto(recipe_class(name), named_settings(recipe), field=name))
        method = self._transport.stubs.on_demand.RequestModules
        timeout = self._transport.timeouts.check
        response = self._transport.unary(Service.REUSER, method, request, timeout=timeout)
        return ModuleRequest(self._transport, response, validated=validate_only)

    def find_labels(self, query: str) -> FoundLabels:
        """Labels that registered models know and that answer a word, with reasons.

        Args:
            query: A label in words.

        Raises:
            InvalidField: it has no words, or is too long.
        """
        request = label_service_pb2.FindLabelsRequest(parent=self.parent, query=query)
        method = self._transport.stubs.labels.FindLabels
        return found_labels_from_proto(self._transport.unary(Service.REGISTRY, method, request))
