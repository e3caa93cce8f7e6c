"""Where files of `modelfoundry get` go, and in which format."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelfoundry import errors
from modelfoundry.cli.arguments import byte_size
from modelfoundry.cli.destination import destination_of
from modelfoundry.client import Export, ExportFormat

EXPORT = Export(
    subject="projects/default/modules/cat", format=ExportFormat.ONNX, files=(), max_difference=0.0, compact=False
)


@pytest.mark.parametrize(
    ("name", "format_name", "expected"),
    [
        ("farm.onnx", "", ExportFormat.ONNX),
        ("farm.ONNX", "onnx", ExportFormat.ONNX),
        ("farm.pt2", "", ExportFormat.TORCH_EXPORT),
        ("farm.safetensors", "", ExportFormat.SAFETENSORS),
        ("folder", "", ExportFormat.SAFETENSORS),
        ("folder", "torch", ExportFormat.TORCH_EXPORT),
        ("farm.v2", "onnx", ExportFormat.ONNX),
    ],
)
def test_the_format_follows_from_the_files_name_or_is_said(name: str, format_name: str, expected: ExportFormat) -> None:
    place = destination_of(Path(name), ExportFormat(format_name) if format_name else None, several=False)
    assert place is not None
    assert place.format is expected


def test_a_file_and_its_description_lie_side_by_side() -> None:
    place = destination_of(Path("out/farm.onnx"), None, several=False)
    assert place is not None
    assert place.path_of(EXPORT, "model.onnx") == Path("out/farm.onnx")
    assert place.path_of(EXPORT, "module.json") == Path("out/farm.json")


def test_in_a_folder_every_module_of_several_has_one_of_its_own() -> None:
    one, several = (destination_of(Path("out"), ExportFormat.ONNX, several=several) for several in (False, True))
    assert one is not None
    assert several is not None
    assert one.path_of(EXPORT, "model.onnx") == Path("out/model.onnx")
    assert several.path_of(EXPORT, "model.onnx") == Path("out/cat/model.onnx")
    assert several.path_of(EXPORT, "../../etc/passwd") == Path("out/cat/passwd")


def test_a_folder_may_be_called_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "farm.onnx").mkdir()
    place = destination_of(tmp_path / "farm.onnx", ExportFormat.SAFETENSORS, several=True)
    assert place is not None
    assert not place.is_file


def test_no_destination_means_no_files() -> None:
    assert destination_of(None, None, several=False) is None


@pytest.mark.parametrize(
    ("output", "said", "several", "field"),
    [
        (None, ExportFormat.ONNX, False, "--format"),
        (Path("farm.onnx"), ExportFormat.TORCH_EXPORT, False, "--output"),
        (Path("farm.onnx"), None, True, "--output"),
    ],
)
def test_what_contradicts_itself_is_refused(
    output: Path | None, said: ExportFormat | None, several: bool, field: str
) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        destination_of(output, said, several=several)
    assert caught.value.field == field
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "size"),
    [("500000", 500_000), ("64K", 65_536), ("64kB", 64_000), ("1.5 MiB", 1_572_864), ("2g", 2**31), ("10B", 10)],
)
def test_sizes_are_read_in_units_of_1024_or_1000(text: str, size: int) -> None:
    assert byte_size(text, "--max-bytes") == size


@pytest.mark.parametrize("text", ["", "0", "-1", "one", "1T", "1e6", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidField, match="is no size"):
        byte_size(text, "--max-bytes")
