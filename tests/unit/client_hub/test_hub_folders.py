"""Folders of the Hub: what is read of them, what is refused, and that they are written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelfoundry.client import Architecture, Card, InputSpec, ModelOrigin
from modelfoundry.client.hub.computation import shown_computation
from modelfoundry.client.hub.reading import read_folder
from modelfoundry.client.hub.writing import whole_folder, write_texts
from modelfoundry.errors import AlreadyExists, MalformedFile
from modelfoundry.values.exports import Export, ExportFormat, ExportMeasurement
from modelfoundry.values.file_forms import Compute, WeightFormat

DIGEST = "sha256:" + "1" * 64
PROGRAM = Export(
    subject="projects/p/modules/threes",
    format=ExportFormat.ONNX,
    files=(),
    max_difference=0.01,
    weights=WeightFormat.INT8,
    compute=Compute.INT8,
    measured=ExportMeasurement(
        dataset="d", split="train", sample_count=200, accuracy_fp32=0.97, accuracy=0.965, agreement=0.99
    ),
)
EXPORTED: dict[str, Any] = {
    "format": "modelfoundry.export",
    "format_version": 1,
    "kind": "module",
    "input": {"shape": ["n", 1, 8, 8]},
    "normalisation": {"mean": [0.3], "std": [0.5]},
    "output": {"labels": ["3", "rest"]},
    "problem": {"binary": {"label": "3"}},
    "base": {"architecture": {"builder": "zoo:digits_cnn", "parameters": {}}, "label_count": 10},
    "head": [2],
    "widths": {},
}
TIMM: dict[str, Any] = {
    "architecture": "test_vit.r160_in1k",
    "num_classes": 2,
    "label_names": ["a", "b"],
    "model_args": {"num_classes": 2, "in_chans": 1, "img_size": [32, 32], "global_pool": "token", "patch_size": None},
    "pretrained_cfg": {"input_size": [3, 160, 160], "mean": [0.5], "std": [0.25], "license": "apache-2.0"},
}
README = (
    "---\nlicense: {license}\nlicense_name: our-terms\ntags: [vision, 'dataset:Image Net', 7]\n---\n# Net\n\nText.\n"
)


def _folder(path: Path, config: Any, readme: str = "") -> Path:
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    (path / "model.safetensors").write_bytes(b"not read here")
    if readme:
        (path / "README.md").write_text(readme)
    return path


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    card = Card(
        name="projects/default/modules/net-3",
        etag='"e"',
        title="Threes",
        description="---\nlicense: gpl\n---",
        intended_use="Counting.",
        license="MIT AND BSD-3-Clause",
        tags={"team": "vision"},
        markdown="---\nlicense: other\n---\n\n# Threes\n",
    )
    folder = _folder(tmp_path / "hub", {})
    (folder / "module.json").write_text(json.dumps(EXPORTED))
    write_texts(folder, card, DIGEST, PROGRAM)

    found = read_folder(folder)

    assert sorted(path.name for path in folder.iterdir()) == [
        *("README.md", "config.json", "example.py", "model.safetensors", "picture.py")
    ]
    assert found.labels == ("3", "rest")
    assert found.input == InputSpec(1, 8, 8, (0.3,), (0.5,))
    parts = {part: EXPORTED[part] for part in ("problem", "base", "head", "widths")}
    assert found.architecture == Architecture("exported:module", parts)
    assert found.origin == ModelOrigin("modelfoundry", card.name, DIGEST)
    about = found.about
    assert (about.display_name, about.description, about.intended_use) == ("Threes", card.description, "Counting.")
    assert (about.license, about.tags) == (card.license, card.tags)
    readme = (folder / "README.md").read_text()
    assert readme.startswith(card.markdown)
    assert "On 200 validation images it answers 96.50% correctly; in float32 it is 97.00%" in readme
    told = json.loads((folder / "config.json").read_text())["model.onnx"]
    assert (told["weights"], told["compute"], told["measured"]["accuracy"]) == ("int8", "int8", 0.965)
    assert (folder / "example.py").read_text() in readme


def test_a_model_that_was_exported_keeps_its_architecture(tmp_path: Path) -> None:
    found = read_folder(_folder(tmp_path, {**EXPORTED, "kind": "model"}))

    assert found.architecture == Architecture("zoo:digits_cnn")


def test_a_folder_of_timm_says_how_timm_builds_it(tmp_path: Path) -> None:
    found = read_folder(_folder(tmp_path, TIMM, README.format(license="mit")))

    assert found.architecture == Architecture("timm:test_vit", {"img_size": 32, "global_pool": "token"})
    assert found.input == InputSpec(1, 32, 32, (0.5,), (0.25,))
    assert (found.labels, found.origin) == (("a", "b"), ModelOrigin("timm"))
    assert (found.about.license, found.about.description) == ("MIT", "# Net\n\nText.")
    assert found.about.tags == {"vision": "", "dataset": "Image Net"}


@pytest.mark.parametrize(
    ("readme", "license"),
    [
        (README.format(license="other"), "our-terms"),
        ("No front matter.", "apache-2.0"),
        ("", "apache-2.0"),
    ],
    ids=["other, with a name", "no front matter", "no readme"],
)
def test_the_licence_comes_from_the_readme_or_the_config(tmp_path: Path, readme: str, license: str) -> None:  # noqa: A002
    assert read_folder(_folder(tmp_path, TIMM, readme)).about.license == license


def test_labels_of_the_caller_stand_before_those_of_the_folder(tmp_path: Path) -> None:
    legacy = {**TIMM["pretrained_cfg"], "architecture": "resnet10t", "num_classes": 2}
    named_by_number = {**TIMM, "label_names": {"1": "b", "0": "a"}}

    assert read_folder(_folder(tmp_path, legacy), ("x", "y")).labels == ("x", "y")
    assert read_folder(_folder(tmp_path, named_by_number)).labels == ("a", "b")


def _less(config: dict[str, Any], *path: str) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(config))
    parent = changed
    for part in path[:-1]:
        parent = parent[part]
    del parent[path[-1]]
    return changed


@pytest.mark.parametrize(
    ("config", "field"),
    [
        pytest.param("{", "config.json", id="half of JSON"),
        pytest.param("[1]", "config.json", id="a list"),
        pytest.param('{"a": NaN}', "config.json", id="no number of JSON"),
        pytest.param("[" * 100_000, "config.json", id="brackets without end"),
        pytest.param('"text"', "config.json", id="a text"),
        pytest.param({"architectures": ["BertModel"]}, "architecture", id="of another library"),
        pytest.param(_less(TIMM, "label_names"), "label_names", id="timm: no labels"),
        pytest.param({**TIMM, "label_names": ["a"]}, "label_names", id="timm: too few labels"),
        pytest.param({**TIMM, "label_names": {"0": "a", "2": "b"}}, "label_names", id="timm: a gap between labels"),
        pytest.param(_less(TIMM, "num_classes"), "num_classes", id="timm: no number of labels"),
        pytest.param(_less(TIMM, "pretrained_cfg", "mean"), "pretrained_cfg.mean", id="timm: no mean"),
        pytest.param(_less(TIMM, "pretrained_cfg", "input_size"), "pretrained_cfg.input_size", id="timm: no size"),
        pytest.param({**EXPORTED, "format_version": 3}, "format_version", id="a newer version"),
        pytest.param({**EXPORTED, "kind": "program"}, "kind", id="another kind"),
        pytest.param({**EXPORTED, "kind": "model", "base": {}}, "base.architecture", id="a model without architecture"),
        pytest.param(_less(EXPORTED, "widths"), "widths", id="no widths"),
        pytest.param(_less(EXPORTED, "input", "shape"), "input.shape", id="no image size"),
        pytest.param({**EXPORTED, "normalisation": {"mean": ["0"], "std": []}}, "normalisation", id="texts as mean"),
        pytest.param({**EXPORTED, "output": {"labels": "3"}}, "output.labels", id="labels as text"),
        pytest.param({**EXPORTED, "card": {"license": 1}}, "card.license", id="a licence that is no text"),
        pytest.param({**EXPORTED, "card": {"tags": ["x"]}}, "card.tags", id="tags as list"),
        pytest.param({**EXPORTED, "origin": "there"}, "origin", id="an origin that is a text"),
    ],
)
def test_a_wrong_config_is_refused_with_its_field(tmp_path: Path, config: Any, field: str) -> None:
    with pytest.raises(MalformedFile) as caught:
        read_folder(_folder(tmp_path, config))

    assert caught.value.field == field
    assert caught.value.hint


def _without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _in_shards(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model.safetensors.index.json")


def _linked_out(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder.parent / "secret")
    (folder / "model.safetensors").symlink_to("../secret")


def _config_linked_out(folder: Path) -> None:
    (folder / "config.json").rename(folder.parent / "secret.json")
    (folder / "config.json").symlink_to(folder.parent / "secret.json")


def _readme_is_a_folder(folder: Path) -> None:
    (folder / "README.md").mkdir()


def _readme_is_no_yaml(folder: Path) -> None:
    (folder / "README.md").write_text("---\n{ a: [\n---\ntext")


def _config_is_huge(folder: Path) -> None:
    (folder / "config.json").write_text(" " * (4 * 1024 * 1024 + 1))


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        (_without_config, "config.json", "has no config.json"),
        (_pickled, "model.safetensors", "is a pickle: reading one can run any program"),
        (_in_shards, "model.safetensors", "in several files"),
        (_linked_out, "model.safetensors", "leads out of"),
        (_config_linked_out, "config.json", "leads out of"),
        (_readme_is_a_folder, "README.md", "is no file"),
        (_readme_is_no_yaml, "README.md", "cannot be read"),
        (_config_is_huge, "config.json", "is longer than"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else None,
)
def test_files_that_are_not_as_they_should_be_are_refused(
    tmp_path: Path, change: Callable[[Path], None], field: str, said: str
) -> None:
    folder = _folder(tmp_path / "hub", TIMM)
    change(folder)

    with pytest.raises(MalformedFile, match=said) as caught:
        read_folder(folder)

    assert caught.value.field == field


def test_a_snapshot_in_the_cache_of_the_hub_is_made_of_links_to_its_blobs(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--net" / "snapshots" / "0a1b"
    snapshot.mkdir(parents=True)
    _folder(tmp_path / "models--net" / "blobs", TIMM)
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).symlink_to(f"../../blobs/{name}")

    assert read_folder(snapshot).weights == (tmp_path / "models--net" / "blobs" / "model.safetensors").resolve()


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / "hub"
    with pytest.raises(FileNotFoundError), whole_folder(target) as staged:
        (staged / "model.onnx").rename(staged / "folder" / "model.onnx")
    assert list((tmp_path / "new").iterdir()) == []

    target.mkdir()
    with whole_folder(target) as staged:
        (staged / "model.onnx").write_bytes(b"whole")
        assert list(target.iterdir()) == []

    assert [path.name for path in (tmp_path / "new").iterdir()] == ["hub"]
    assert (target / "model.onnx").read_bytes() == b"whole"


@pytest.mark.parametrize("kind", ["folder with files", "file", "link"])
def test_nothing_is_overwritten(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "hub"
    match kind:
        case "folder with files":
            _folder(target, "mine")
        case "file":
            target.write_text("mine")
        case _:
            target.symlink_to(tmp_path)
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(AlreadyExists), whole_folder(target):
        pass

    assert sorted(tmp_path.rglob("*")) == before


def test_what_takes_the_place_of_layers_comes_with_a_specialised_module(tmp_path: Path) -> None:
    operations = [{"layer": "layer1.1", "bypass": {}}]
    found = read_folder(_folder(tmp_path, {**EXPORTED, "format_version": 2, "operations": operations}))

    assert found.architecture.builder == "exported:module"
    assert found.architecture.parameters["operations"] == operations


def test_the_readme_says_every_step_that_the_description_says(tmp_path: Path) -> None:
    resize = {"height": 8, "width": 8, "filter": "bilinear"}
    head = [{"operation": "relu"}, {"operation": "linear", "weight": "head.weight", "bias": "head.bias"}]
    computation = {
        "preprocessing": {
            "orientation": "turned upright",
            "colours": "grey",
            "resize": resize,
            "scale": "divided by 255",
            "layout": "[image, channel, row, column]",
        },
        "steps": [
            {"step": "normalise", "mean": [0.3], "std": [0.5]},
            {"step": "network", "builder": "zoo:digits_cnn", "tensors": "network.", "gives": "z, logits of the base"},
            {"step": "head", "operations": head},
            {"step": "softmax"},
        ],
        "answer": "the label of the largest logit",
        "program": {"lines": []},
    }
    text = shown_computation({**EXPORTED, "computation": computation})

    assert "3. (pixels - mean) / std, channel by channel, with mean [0.3] and std [0.5]\n" in text
    assert "4. the network `zoo:digits_cnn` with the tensors `network.*` of `model.safetensors` gives z" in text
    assert "5. the head: ReLU, then Linear (`head.weight`, `head.bias`)\n" in text
    assert "6. softmax of these logits gives the probabilities\n" in text
    assert "Outputs, in order: `3`, `rest`." in text
    assert "`config.json` (`computation.program`)" in text
    assert shown_computation(EXPORTED) == ""
