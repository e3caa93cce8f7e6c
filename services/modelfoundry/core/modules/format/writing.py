"""Writing a module file."""

from __future__ import annotations

from pathlib import Path

from modelfoundry.core.heads import LinearHead
from modelfoundry.core.modules.artifact import ModuleArtifact, problem_to_json
from modelfoundry.core.modules.format.cuts import cuts_to_file
from modelfoundry.core.modules.format.heads import head_tensors, head_text
from modelfoundry.core.modules.format.masks import masks_to_file
from modelfoundry.core.modules.format.metadata import (
    DEEP_HEAD_VERSION,
    FORMAT,
    FORMAT_VERSION,
    OPERATING_VERSION,
    REWRITING_VERSION,
    rewrites,
)
from modelfoundry.core.modules.format.operations import operations_text
from modelfoundry.core.modules.format.rewritten import rewritten_to_file
from modelfoundry.core.tensorfile import write_tensors


def write_module(path: Path, artifact: ModuleArtifact) -> None:
    """Writes a module file; equal artifacts give equal bytes under one version of zstd.

    The version is the lowest that can say it, so that what older programs can read stays readable for them.
    """
    version = _version(artifact)
    masks, layout = masks_to_file(artifact.masks)
    tensors = {**masks, **head_tensors(artifact.head)}
    metadata = {
        "format": FORMAT,
        "format_version": version,
        "base_digest": artifact.base_digest,
        "problem": problem_to_json(artifact.problem),
        "layout": layout,
        "algorithm": artifact.algorithm,
    }
    if rewrites(version):
        rewritten, description = rewritten_to_file(artifact.rewritten)
        cuts, widths = cuts_to_file(artifact.cuts)
        tensors |= rewritten | cuts
        metadata |= {"head": head_text(artifact.head), "rewritten": description, "cuts": widths}
    if version == OPERATING_VERSION:
        metadata["operations"] = operations_text(artifact.operations)
    write_tensors(path, tensors, metadata)


def _version(artifact: ModuleArtifact) -> str:
    if artifact.operations:
        return OPERATING_VERSION
    masks_alone = artifact.masks.bits and not artifact.rewritten.tensors and not artifact.cuts
    if not masks_alone or not isinstance(artifact.head, LinearHead):
        return REWRITING_VERSION
    return FORMAT_VERSION if len(artifact.head.layers) == 1 else DEEP_HEAD_VERSION
