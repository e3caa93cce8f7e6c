"""Which numbers a search computes in: said by a setting or by the processor, never by a clock."""

from __future__ import annotations

import torch

from modelfoundry.core.devices import Precision, computes_bfloat16
from modelfoundry.decomposer.algorithms.settings import PrecisionSetting
from modelfoundry.errors import DeviceUnavailable


def decided(wanted: PrecisionSetting, device: torch.device, *, field: str = "precision") -> Precision:
    """The precision that a setting means on this machine: always the same one.

    Args:
        wanted: The setting.
        device: Where to compute.
        field: Path of the setting in the request.

    Raises:
        DeviceUnavailable: bfloat16 is asked for, and the processor has no instructions for it.
    """
    if wanted == "float32":
        return "float32"
    if computes_bfloat16(device):
        return "bfloat16"
    if wanted == "auto":
        return "float32"
    raise DeviceUnavailable(
        f"{field}: this worker's processor does not compute in bfloat16",
        field=field,
        hint="pass `auto` or `float32`, or start the service on a machine that has it",
    )
