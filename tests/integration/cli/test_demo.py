"""`modelfoundry demo`, as `make demo` runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image
from service_stack import INLINE

from modelfoundry.cli.demo.report import ModuleReport
from modelfoundry.cli.demo.settings import COMPOSITION_SETTINGS, SETTINGS

DEMO = (sys.executable, "-m", "modelfoundry.cli", "demo", "--json", "--output")


def processes_of(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in part for part in process.info["cmdline"] or ())
    ]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_demo_takes_a_network_apart_and_leaves_its_figures(tmp_path):
    outcome = subprocess.run(
        [*DEMO, str(tmp_path), "--compose"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert json.loads(outcome.stdout) == report

    # A row for every module, measured on data that nothing was chosen on.
    assert [module["module_name"].rpartition("/")[2] for module in report["modules"]] == list(SETTINGS.problems)
    assert all(module.keys() == set(ModuleReport.__dataclass_fields__) for module in report["modules"])
    assert {module["split"] for module in report["modules"]} == {"test"}
    assert report["labels"] == [str(label) for label in range(10)]
    assert report["averages"]["weight_retention"] <= 0.1
    assert all(module["module_bytes"] < module["base_bytes"] / 10 for module in report["modules"])

    # The composed model beats every one of its sources, and says what it is made of.
    composition = report["composition"]
    assert composition["composed_accuracy"] > composition["best_source_accuracy"]
    assert composition["split"] == "test"
    assert composition["modules"].keys() == set(report["labels"])
    assert [each["name"].rpartition("/")[2] for each in composition["compared"]] == [
        *COMPOSITION_SETTINGS.models,
        "ensemble",
        COMPOSITION_SETTINGS.composition,
    ]
    assert composition["macs"] == composition["compared"][-1]["macs"]

    # One image and one module lie there, to be used without any service; the services are gone.
    (image,) = tmp_path.glob("*.png")
    assert Image.open(image).size == (8, 8)
    assert {file.name for file in (tmp_path / SETTINGS.shown).iterdir()} == {"model.onnx", "module.json"}
    assert processes_of(tmp_path) == []


def test_an_interrupted_demo_stops_its_services(tmp_path):
    with subprocess.Popen(
        [*DEMO, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **INLINE},  # no job is started before the interruption
        # Tests that run in the background inherit that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    ) as demo:
        log = tmp_path / "modelfoundry-data" / "endpoints.json"
        while not log.exists():
            assert demo.poll() is None, demo.communicate()
            time.sleep(0.05)
        demo.send_signal(signal.SIGINT)
        out, err = demo.communicate(timeout=120)
    assert demo.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert processes_of(tmp_path) == []
