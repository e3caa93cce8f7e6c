"""Steps of the searches against the published way."""

from __future__ import annotations

import steps

from ratios.measurements import Effort, Report


def mask_steps(effort: Effort) -> Report:
    """Steps of SeaM's recipes, interleaved with the reference's."""
    networks, batch = (("resnet20",), 4) if effort.tiny else (steps.SEAM_NETWORKS, 64)
    found = [one for network in networks for one in steps.seam_steps(network, effort.rounds(5), batch)]
    exact = tuple(one for one in found if one.way == "paper, float32")
    bfloat16 = tuple(one for one in found if "bfloat16" in one.way)
    others = tuple(one for one in found if one not in exact + bfloat16)
    judged = {"mask-float32": exact} | ({"mask-bfloat16": bfloat16} if bfloat16 else {})
    notes = () if bfloat16 else ("This processor computes no bfloat16.",)
    return Report(judged, others, notes)


def splitter_steps(effort: Effort) -> Report:
    """Epochs of GradSplitter with ten modules, interleaved with the reference's."""
    found = steps.splitter_epochs(effort.rounds(3), 2 if effort.tiny else steps.SPLIT_BATCH)
    cycles = tuple(one for one in found if "cycle" in one.work)
    return Report({"splitter-epoch": cycles}, tuple(one for one in found if one not in cycles))
