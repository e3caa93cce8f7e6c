"""A folder of pictures as strangers have it: nothing of it is passed over in silence."""

from __future__ import annotations

import os
import unicodedata
import warnings
from pathlib import Path

import pytest
from PIL import Image
from safetensors.numpy import load_file

from modelfoundry import errors
from modelfoundry.client.sources.picture_folders import (
    EMPTY,
    LINKS,
    NO_PICTURES,
    NOT_PLAIN,
    OF_THE_SYSTEM,
    OUTSIDE,
    TOO_DEEP,
)
from modelfoundry.client.sources.prepare import prepare_dataset
from modelfoundry.client.sources.prepared import LOOKALIKES, FileRemark, PreparedDataset, SourceReport
from modelfoundry.client.sources.reporting import report
from modelfoundry.pictures.decoding import SEVERAL_FRAMES

SUFFIXES = ("jpg", "JPEG", "webp", "bmp", "tif", "gif", "png", "avif", "jp2", "ppm")


def picture(path: Path, colour: tuple[int, int, int] = (200, 100, 50)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), colour).save(path)


def pushed(source: Path) -> PreparedDataset:
    work = source.parent / "work"
    work.mkdir(exist_ok=True)
    return prepare_dataset(source, work, (), None)


def left_out(prepared: PreparedDataset) -> set[tuple[str, str]]:
    return {(remark.path, remark.text) for remark in prepared.report.left_out}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two labels of one picture each."""
    for label in ("cat", "dog"):
        picture(tmp_path / "source" / label / "a.png")
    return tmp_path / "source"


def test_every_format_is_read_and_no_label_is_lost(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        for suffix in SUFFIXES:
            picture(tmp_path / "source" / label / f"picture.{suffix}")
    for number in range(3):
        picture(tmp_path / "source" / "only-bmp" / f"{number}.bmp")
    prepared = pushed(tmp_path / "source")
    assert prepared.labels == ("cat", "dog", "only-bmp")
    assert load_file(prepared.files["train"])["labels"].tolist() == [0] * 10 + [1] * 10 + [2] * 3
    assert prepared.report == SourceReport()


def test_a_picture_is_told_by_its_content(source: Path) -> None:
    (source / "cat" / "a.png").rename(source / "cat" / "DSC_0001")
    assert len(load_file(pushed(source).files["train"])["labels"]) == 2


def test_stray_files_and_folders_are_left_out_and_named(source: Path) -> None:
    for stray in ("@eaDir", ".ipynb_checkpoints", "__MACOSX", ".thumbnails"):
        picture(source / stray / "x.png")
        picture(source / "cat" / stray / "x.png")
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "._a.png"):
        (source / "dog" / name).write_bytes(b"\0" * 9)
    (source / "dog" / "notes.txt").write_text("the dogs of 2024")
    (source / "README").write_text("mine")
    picture(source / "cover.png")
    picture(source / "cat" / "old" / "b.png")
    (source / "bird").mkdir()
    prepared = pushed(source)
    assert prepared.labels == ("cat", "dog")
    assert len(load_file(prepared.files["train"])["labels"]) == 2
    strays = {"@eaDir", ".ipynb_checkpoints", "__MACOSX", ".thumbnails"}
    assert left_out(prepared) == {
        *((stray, OF_THE_SYSTEM) for stray in strays),
        *((f"cat/{stray}", OF_THE_SYSTEM) for stray in strays),
        *((f"dog/{name}", OF_THE_SYSTEM) for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "._a.png")),
        *{("dog/notes.txt", NO_PICTURES), ("README", NO_PICTURES), ("cover.png", OUTSIDE)},
        *{("cat/old", TOO_DEEP), ("bird", EMPTY)},
    }


def test_splits_are_told_from_labels(tmp_path: Path) -> None:
    for place in ("train/cat", "train/dog", "test/cat"):
        picture(tmp_path / "source" / place / "a.png")
    (tmp_path / "source" / "test" / "dog").mkdir()
    (tmp_path / "source" / "val").mkdir()
    picture(tmp_path / "source" / "train" / "cover.png")
    prepared = pushed(tmp_path / "source")
    assert set(prepared.files) == {"train", "test"}
    assert left_out(prepared) == {("test/dog", EMPTY), ("val", EMPTY), ("train/cover.png", OUTSIDE)}


def test_what_may_be_splits_or_labels_is_refused(source: Path) -> None:
    picture(source / "bird" / "small" / "a.png")
    with pytest.raises(errors.MalformedFile, match="lie in cat, dog and in folders below bird"):
        pushed(source)
    for label in ("cat", "dog"):
        picture(source / label / "more" / "a.png")
        (source / "bird" / "small" / "a.png").unlink(missing_ok=True)
    with pytest.raises(errors.MalformedFile, match="cat, dog and in folders below cat, dog"):
        pushed(source)


def test_what_is_called_a_picture_and_is_none_is_refused_all_at_once(source: Path) -> None:
    for name in ("b.png", "c.jpg", "d.heic", "e.svg", "f.gif"):
        (source / "cat" / name).write_bytes(b"<html>not found</html>")
    with pytest.raises(errors.InvalidImage, match=r"^5 of .*cat/b\.png, cat/c\.jpg, cat/d\.heic and 2 more") as caught:
        pushed(source)
    assert caught.value.metadata["files"] == "cat/b.png, cat/c.jpg, cat/d.heic, cat/e.svg, cat/f.gif"


def test_truncated_pictures_are_refused_all_at_once(source: Path) -> None:
    for name in ("b.bmp", "c.bmp"):
        picture(source / "cat" / name)
        whole = (source / "cat" / name).read_bytes()
        (source / "cat" / name).write_bytes(whole[:-100])
    with pytest.raises(errors.InvalidImage, match=r"^2 of .*cat/b\.bmp, cat/c\.bmp \(it is damaged"):
        pushed(source)


def test_a_bomb_is_refused_before_it_is_decoded(source: Path) -> None:
    header = b"P5 100000 100000 255\n"
    (source / "cat" / "b.pgm").write_bytes(header + bytes(9))
    with pytest.raises(errors.InvalidImage, match=r"cat/b\.pgm"):
        pushed(source)


def test_links_out_of_the_folder_are_left_out_and_named(source: Path, tmp_path: Path) -> None:
    picture(tmp_path / "elsewhere" / "secret.png")
    (source / "cat" / "link.png").symlink_to(tmp_path / "elsewhere" / "secret.png")
    (source / "dog" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (source / "cat" / "loop").symlink_to(source)
    (source / "bird").symlink_to(tmp_path / "elsewhere")
    (source / "dog" / "same.png").symlink_to(source / "dog" / "a.png")
    os.mkfifo(source / "dog" / "pipe.png")
    prepared = pushed(source)
    assert prepared.labels == ("cat", "dog")
    assert load_file(prepared.files["train"])["labels"].tolist() == [0, 1, 1]
    links = {"cat/link.png", "dog/gone.png", "cat/loop", "bird"}
    assert left_out(prepared) == {*((link, LINKS) for link in links), ("dog/pipe.png", NOT_PLAIN)}


def test_a_label_of_nothing_but_links_is_refused(source: Path, tmp_path: Path) -> None:
    picture(tmp_path / "elsewhere" / "b.png")
    (source / "bird").mkdir()
    (source / "bird" / "b.png").symlink_to(tmp_path / "elsewhere" / "b.png")
    with pytest.raises(errors.MalformedFile, match="bird holds nothing but links") as caught:
        pushed(source)
    assert "cp -rL" in caught.value.hint


def test_of_animations_the_first_frame_is_taken_and_said(source: Path) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    frames[0].save(source / "cat" / "moving.gif", save_all=True, append_images=frames[1:])
    prepared = pushed(source)
    assert prepared.report.notes == (FileRemark("cat/moving.gif", SEVERAL_FRAMES),)
    assert load_file(prepared.files["train"])["images"][1, :, 0, 0].tolist() == [255, 0, 0]


def test_a_report_is_a_line_a_reason_and_a_warning_for_whoever_takes_none() -> None:
    found = SourceReport(tuple(FileRemark(f"cat/{number}.txt", NO_PICTURES) for number in range(5)))
    assert found.lines() == (f"left out, {NO_PICTURES}: cat/0.txt, cat/1.txt, cat/2.txt and 2 more",)
    with pytest.warns(UserWarning, match=r"left out, .*cat/0\.txt"):
        report(found, None)
    taken: list[SourceReport] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report(found, taken.append)
        report(SourceReport(), None)
    assert taken == [found]


def test_one_word_is_one_label_in_whatever_form_its_folders_are_named(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    picture(tmp_path / "source" / "train" / composed / "a.png")
    picture(tmp_path / "source" / "test" / decomposed / "a.png")
    for split in ("train", "test"):
        picture(tmp_path / "source" / split / "tea" / "a.png")
    prepared = pushed(tmp_path / "source")
    assert prepared.labels == (composed, "tea")
    assert [load_file(prepared.files[split])["labels"].tolist() for split in ("train", "test")] == [[0, 1], [0, 1]]
    work = tmp_path / "more"
    work.mkdir()
    assert prepare_dataset(tmp_path / "source", work, ("tea", decomposed), None).labels == ("tea", composed)


def test_labels_of_other_cases_are_told_apart_and_said_and_spaces_are_refused(source: Path) -> None:
    picture(source / "Cat" / "a.png")
    prepared = pushed(source)
    assert prepared.labels == ("Cat", "cat", "dog")
    assert prepared.report.notes == (FileRemark("Cat / cat", LOOKALIKES),)
    picture(source / " cat" / "a.png")
    with pytest.raises(errors.InvalidField, match="' cat' begins or ends with a space") as caught:
        pushed(source)
    assert "'cat'" in caught.value.hint
