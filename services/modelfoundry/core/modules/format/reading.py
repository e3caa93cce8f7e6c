"""Reading a module file: everything in it is somebody else's, until it was checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import safetensors
from torch import Tensor

from modelfoundry.core.modules.artifact import ModuleArtifact, problem_from_json
from modelfoundry.core.modules.format import cuts, heads, masks, operations, rewritten
from modelfoundry.core.modules.format.metadata import FORMAT_VERSION, checked_metadata, rewrites
from modelfoundry.core.modules.format.refusals import HINT, malformed
from modelfoundry.errors import MalformedFile
from modelfoundry.names import shortened


def read_module(path: Path) -> ModuleArtifact:
    """Reads a module file of any version and checks everything that can be checked without its base model.

    Raises:
        MalformedFile: it is no module file, of a newer version, or damaged. What is wrong stands in the message.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = checked_metadata(file.metadata() or {})
            names = _checked_names(set(file.keys()), metadata)
            tensors = {name: file.get_tensor(name).clone() for name in names}
        return _artifact(metadata, tensors)
    except safetensors.SafetensorError as error:
        raise MalformedFile(f"no whole safetensors file: {error}", hint=HINT) from error
    except (ValueError, RecursionError) as error:
        raise MalformedFile(f"no module file: {error}", hint=HINT) from error


def _artifact(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> ModuleArtifact:
    rewriting = rewrites(metadata["format_version"])
    artifact = ModuleArtifact(
        base_digest=metadata["base_digest"],
        problem=problem_from_json(metadata["problem"]),
        masks=masks.masks_from_file(tensors, masks.layout_of(metadata["layout"])),
        head=heads.head_from_file(tensors, metadata["head"]) if rewriting else heads.linear_from_file(tensors),
        algorithm=metadata["algorithm"],
    )
    if not rewriting:
        return artifact
    return replace(
        artifact,
        rewritten=rewritten.rewritten_from_file(tensors, rewritten.description_of(metadata["rewritten"])),
        cuts=cuts.cuts_from_file(tensors, cuts.widths_of(metadata["cuts"])),
        operations=operations.operations_of(metadata.get("operations", "[]")),
    )


def _checked_names(found: set[str], metadata: Mapping[str, str]) -> set[str]:
    """Names of the tensors, which are those of the version and of what the metadata describes."""
    expected = _expected_names(found, metadata)
    if found != expected:
        raise malformed(f"its tensors are {_listed(found)}, not {_listed(expected)}")
    return expected


def _expected_names(found: set[str], metadata: Mapping[str, str]) -> set[str]:
    layout = masks.layout_of(metadata["layout"])
    if rewrites(metadata["format_version"]):
        return {
            *(["masks"] if layout else []),
            *(["cuts"] if cuts.widths_of(metadata["cuts"]) else []),
            *rewritten.names_of(rewritten.description_of(metadata["rewritten"])),
            *heads.names_of(metadata["head"]),
        }
    if not layout:
        raise malformed("its layout is no list of parameter names and shapes")
    depth = 1 if metadata["format_version"] == FORMAT_VERSION else max(2, (len(found) - 1) // 2)
    return {"masks", *heads.linear_names(depth)}


def _listed(names: Iterable[str]) -> str:
    return shortened(", ".join(sorted(names)))
