"""The whole loop by commands, against the four services."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from modelfoundry.cli.exit_codes import ExitCode


@pytest.mark.slow
def test_from_images_to_a_module_at_home(call, services, tmp_path):
    call("dataset", "push", "digits", "--name", "digits")
    trained = json.loads(
        call("train", "zoo:digits_cnn", "--dataset", "digits", "--name", "net", "--epochs", "3", "--json").stdout
    )
    assert trained["model"]["labels"] == [str(label) for label in range(10)]
    assert 0 < trained["validation_accuracy"] <= 1

    # Several modules at a time, and one that is asked for without waiting.
    search = ("decompose", "net", "--dataset", "digits", "--recipe", "paper", "--epochs", "2")
    modules = json.loads(call(*search, "--each", "--labels", "3,8", "--json").stdout)
    assert [module["problem"] for module in modules] == [{"label": "3"}, {"label": "8"}]
    assert all(0 < module["retention"]["weight_retention"] <= 1 for module in modules)
    job = call(*search, "--labels", "0,1,2", "--name", "small", "--detach").stdout.strip()
    events = [json.loads(line) for line in call("job", "watch", job, "--json").stdout.splitlines()]
    assert events[-1]["state"] == "succeeded"
    assert [event["sequence"] for event in events] == sorted(event["sequence"] for event in events)
    assert {"state", "progress"} <= {event["event"] for event in events}
    assert json.loads(call("job", "show", job, "--json").stdout)["state"] == "succeeded"
    assert job in call("job", "list", "--state", "succeeded").stdout
    assert job not in call("job", "list", "--state", "failed").stdout

    # All labels at once, two of them in one module.
    joint = ("decompose", "net", "--dataset", "digits", "--algorithm", "gradsplitter", "--warmup-epochs", "1")
    quick = ("--cycles", "1", "--mask-epochs", "1", "--head-epochs", "1", "--lr-mask", "0.05", "--group", "3,8")
    modules_of_all = json.loads(call(*joint, *quick, "--name", "all", "--json").stdout)
    assert [module["outputs"] for module in modules_of_all][3:5] == [["3", "8", "rest"], ["4", "rest"]]
    assert modules_of_all[3]["name"].endswith("/all-3-8")
    assert "3 or 8, or none of them" in call("module", "show", "all-3-8").stdout
    for module in modules_of_all:
        call("module", "rm", module["name"])

    wrong = call(*search, "--label", "hrose", status=ExitCode.USAGE)
    assert "hrose" in wrong.stderr

    # Measured beside the base model; a bare id names a module or, where there is none, a model.
    first = modules[0]["name"].rpartition("/")[2]
    measure = ("evaluate", first, "small", "net", "--dataset", "digits", "--baselines", "--latency", "1")
    evaluations = json.loads(call(*measure, "--json").stdout)
    assert all(evaluation["split"] == "test" for evaluation in evaluations)
    assert {"all_outputs", "restricted"} == {evaluation["scoring"] for evaluation in evaluations}
    table = call(*measure).stdout
    assert "3 against the rest" in table
    assert "0, 1 or 2" in table
    assert "batch 1:" in table

    Image.fromarray(np.full((8, 8), 128, np.uint8)).save(tmp_path / "grey.png")
    images = (tmp_path / "grey.png", tmp_path / "grey.png")
    answers = json.loads(call("predict", *images, "--with", first, "--json").stdout)
    assert [answer["image"] for answer in answers] == [str(image) for image in images]
    assert {label["label"] for label in answers[0]["labels"]} == {"3", "rest"}

    options = ("-o", tmp_path / "home", "--format", "onnx", "--statement")
    downloaded = call("module", "download", first, *options).stdout.split()
    assert {path.rpartition("/")[2] for path in downloaded} == {"model.onnx", "module.json", "statement.dsse.json"}
    published = services.data_directory / "registry" / "signing-key.pub.pem"
    assert "FAILED" not in call("verify", first, "--key", published).stdout
    assert "weights kept" in call("module", "show", first).stdout
    listed = call("module", "list", "--filter", 'labels:"3"').stdout
    assert first in listed
    assert "AUC, ALL" in listed
    (told,) = json.loads(call("module", "list", "--filter", 'labels:"3"', "--json").stdout)
    (found,) = json.loads(call("search", "3", "--json").stdout)
    assert told["measured"] == found["measured"]
    assert 0 < told["measured"]["auc"] <= 1
    assert told["name"].endswith(first)

    # What others depend on stays.
    in_use = call("model", "rm", "net", status=ExitCode.CONFLICT)
    assert in_use.stderr.startswith("error: ")
    call("module", "rm", first)
    call("module", "show", first, status=ExitCode.NOT_FOUND)
