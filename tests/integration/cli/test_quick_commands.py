"""Commands against the four services: those that answer at once."""

from __future__ import annotations

import json
import signal

import numpy as np
import psutil
import pytest
from PIL import Image
from running_up import RunningUp, Starter
from service_stack import INLINE, NAMES

from modelfoundry.cli.exit_codes import ExitCode


@pytest.fixture(scope="module")
def services(start_up: Starter) -> RunningUp:
    """All four services; no command of this file starts a job."""
    up = start_up(**INLINE)
    up.announced()
    return up


def test_doctor_is_content_with_services_that_answer(call):
    findings = json.loads(call("doctor", "--json").stdout)
    assert {f["check"] for f in findings} >= set(NAMES)
    assert all(f["verdict"] != "failed" for f in findings)


def test_nothing_of_ours_listens_beyond_this_machine(services):
    for child in services.children().values():
        addresses = {c.laddr.ip for c in child.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
        assert {address.removeprefix("::ffff:") for address in addresses} == {"127.0.0.1"}


def test_an_unknown_model_is_not_found_with_near_names(call):
    outcome = call("model", "show", "resnet20", status=ExitCode.NOT_FOUND)
    assert outcome.stderr.startswith("error: ")
    assert outcome.stdout == ""


def test_lists_are_empty_at_first_for_people_and_programs(call):
    for group, word in (("model", "models"), ("dataset", "data sets"), ("module", "modules"), ("job", "jobs")):
        assert call(group, "list").stdout == f"no {word}\n"
        assert json.loads(call(group, "list", "--json").stdout) == []


def test_what_a_pushed_folder_leaves_out_is_said(call, tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / label / "a.bmp")
        (tmp_path / label / "Thumbs.db").write_bytes(b"db")
    pushed = call("dataset", "push", tmp_path, "--name", "left-out", "--json")
    assert {remark["path"] for remark in json.loads(pushed.stdout)["left_out"]} == {"cat/Thumbs.db", "dog/Thumbs.db"}
    line = "left out, files and folders of systems and tools: cat/Thumbs.db, dog/Thumbs.db\n"
    assert pushed.stderr == line
    shown = call("dataset", "push", tmp_path, "--name", "left-out-too")
    assert (shown.stdout, shown.stderr) == ("pushed left-out-too: train 2\n", line)


def test_a_dataset_is_pushed_shown_and_removed(call):
    pushed = call(
        "dataset", "push", "digits", "--name", "throw-away", "--license", "BSD-3-Clause", "--tag", "a=b", "--json"
    )
    dataset = json.loads(pushed.stdout)
    assert pushed.stderr == ""
    assert dataset["name"] == "projects/default/datasets/throw-away"
    assert {split["split"]: split["sample_count"] for split in dataset["splits"]}.keys() == {"train", "test"}
    assert dataset["tags"] == {"a": "b"}
    assert "throw-away" in call("dataset", "list").stdout
    assert "BSD-3-Clause" in call("dataset", "show", "throw-away").stdout

    again = call("dataset", "push", "digits", "--name", "throw-away", status=ExitCode.CONFLICT)
    assert again.stderr.startswith("error: ")

    near = call("dataset", "show", "throw-awai", status=ExitCode.NOT_FOUND)
    assert "throw-away" in near.stderr.splitlines()[1]

    assert json.loads(call("dataset", "rm", "datasets/throw-away", "--json").stdout) == {
        "removed": ["datasets/throw-away"]
    }
    call("dataset", "show", "throw-away", status=ExitCode.NOT_FOUND)


def test_weights_that_do_not_fit_are_refused_tensor_by_tensor(call, tmp_path):
    from safetensors.numpy import save_file

    save_file({"linear.bias": np.zeros(3, np.float32)}, tmp_path / "w.safetensors")
    outcome = call(
        *("model", "push", tmp_path / "w.safetensors", "--architecture", "zoo:digits_cnn"),
        *("--labels", "a,b", "--image", "1x8x8", "--mean", "0.5", "--std", "0.5"),
        status=ExitCode.USAGE,
    )
    what, hint, *violations = outcome.stderr.splitlines()
    assert what.startswith("error: ")
    assert hint.startswith("hint: ")
    assert any("linear.bias" in violation for violation in violations)
    assert json.loads(call("model", "list", "--json").stdout) == []


def test_a_label_or_an_image_size_that_nobody_gave_is_asked_for(call, tmp_path):
    (tmp_path / "w.safetensors").touch()
    outcome = call(
        "model", "push", tmp_path / "w.safetensors", "--architecture", "zoo:digits_cnn", status=ExitCode.USAGE
    )
    assert "--labels" in outcome.stderr
    assert "--dataset" in outcome.stderr


def test_a_subject_that_is_neither_module_nor_model_is_not_found(call, tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "i.png")
    outcome = call("predict", tmp_path / "i.png", "--with", "nobody", status=ExitCode.NOT_FOUND)
    assert "no module, model or composition" in outcome.stderr


def test_services_do_not_outlive_a_killed_parent(services):
    """The last of the file: nothing answers afterwards."""
    children = list(services.children().values())
    assert len(children) == len(NAMES)
    services.end(signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
