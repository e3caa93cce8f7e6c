"""What an export says of itself, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelfoundry.values.file_forms import WeightFormat

if TYPE_CHECKING:
    from modelfoundry.client import Export


def export_lines(export: Export) -> list[str]:
    """How a file that is not float32 throughout answers; nothing for others."""
    if export.weights is WeightFormat.FP32:
        return []
    lines = [f"weights in {export.weights}, computed in {export.compute}"]
    if (found := export.measured) is None:
        return [*lines, "not measured: no data set is recorded; name one with --dataset"]
    lines.append(
        f"accuracy on {found.sample_count} validation images: {found.accuracy:.2%}, in float32 "
        f"{found.accuracy_fp32:.2%}; the same answer to {found.agreement:.2%}"
    )
    lines += [
        f"one thread, batches of {each.batch_size}: {each.median_ms:.2f} ms, in float32 {each.median_ms_fp32:.2f} ms "
        f"({each.speedup:.2f} times as fast)"
        for each in found.latencies
    ]
    if found.calibration_samples:
        lines.append(f"calibrated on {found.calibration_samples} training images")
    return lines
