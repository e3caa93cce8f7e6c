"""What the command line itself promises: help, version, wrong usage, and a quick start."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.decomposer.algorithms import ALGORITHMS


def test_help_says_what_the_exit_codes_mean(cli):
    outcome = cli("--help")
    assert outcome.status == ExitCode.OK
    words = " ".join(outcome.out.split())
    assert "5 a service cannot be reached" in words
    assert "130 interrupted" in words


@pytest.mark.parametrize(
    "command",
    [
        *("up", "train", "decompose", "evaluate", "predict", "demo", "doctor"),
        *("model push", "model list", "model show", "model rm"),
        *("dataset push", "dataset list", "dataset show", "dataset rm"),
        *("module list", "module show", "module download", "module rm"),
        *("compose", "composition list", "composition show", "composition rm"),
        *("evaluation list", "evaluation show", "evaluation rm"),
        *("search", "vocabulary add", "vocabulary list", "vocabulary rm"),
        *("job list", "job show", "job watch", "job cancel"),
        *("lineage", "events", "webhook add", "webhook list", "webhook rm"),
    ],
)
def test_every_command_has_help_and_answers_programs(cli, command):
    outcome = cli(*command.split(), "--help")
    assert outcome.status == ExitCode.OK
    assert "--json" in outcome.out
    assert "--project" in outcome.out


def test_the_version_is_that_of_the_distribution(cli):
    outcome = cli("--version")
    assert (outcome.status, outcome.out) == (ExitCode.OK, f"modelfoundry {version('modelfoundry')}\n")


def test_without_a_command_the_help_is_shown_and_the_usage_is_wrong(cli):
    outcome = cli()
    assert outcome.status == ExitCode.USAGE
    assert "decompose" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [(("decompos",), "decompose"), (("model", "lst"), "list"), (("model", "list", "--fliter", "x"), "--filter")],
    ids=["command", "subcommand", "option"],
)
def test_a_mistyped_word_gets_a_near_one_in_two_lines(cli, arguments, suggestion):
    outcome = cli(*arguments)
    what, hint = outcome.err.splitlines()
    assert outcome.status == ExitCode.USAGE
    assert outcome.out == ""
    assert what.startswith("error: ")
    assert suggestion in what
    assert hint.startswith("hint: see `modelfoundry")


def test_a_missing_file_is_wrong_usage(cli, tmp_path):
    outcome = cli("model", "push", tmp_path / "none.th", "--architecture", "zoo:resnet20")
    assert outcome.status == ExitCode.USAGE
    assert "none.th" in outcome.err


def test_a_project_that_cannot_be_one_is_wrong_usage(cli):
    outcome = cli("model", "list", "--project", "No Project")
    what, hint = outcome.err.splitlines()
    assert outcome.status == ExitCode.USAGE
    assert "No Project" in what
    assert "lower-case" in hint


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "nothing says"),
        (("--label", "a", "--labels", "b,c"), "--label goes"),
        (("--label", "a", "--each"), "--label goes"),
        (("--each", "--name", "x"), "--name names one"),
        (("--algorithm", "gradsplitter", "--label", "a"), "--label says nothing to --algorithm gradsplitter"),
        (("--algorithm", "gradsplitter", "--patience", "0"), "--patience says nothing"),
        (("--label", "a", "--group", "b,c"), "--group says nothing to --algorithm seam"),
    ],
    ids=["none", "label and labels", "label and each", "one name for many", "label of all", "other option", "group"],
)
def test_a_problem_is_given_in_exactly_one_way(cli, arguments, word):
    outcome = cli("decompose", "net", "--dataset", "digits", *arguments)
    assert outcome.status == ExitCode.USAGE
    assert word in outcome.err


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm.name)
def test_every_setting_of_an_algorithm_is_an_option_and_says_nothing_to_those_without_it(cli, algorithm):
    shown = cli("decompose", "--help").out
    own = {setting.name for setting in algorithm.settings}
    assert f"{algorithm.name}: " in " ".join(shown.replace("│", " ").split())
    for name in own:
        assert f"--{name.replace('_', '-')}" in shown
    for other in ALGORITHMS:
        for setting in other.settings:
            if setting.name not in own:
                option = f"--{setting.name.replace('_', '-')}"
                asked = ("decompose", "net", "--dataset", "d", "--algorithm", algorithm.name)
                outcome = cli(*asked, option, setting.default)
                assert outcome.status == ExitCode.USAGE
                assert f"{option} says nothing to --algorithm {algorithm.name}" in outcome.err


def test_an_algorithm_that_is_not_there_is_wrong_usage(cli):
    outcome = cli("decompose", "net", "--dataset", "digits", "--algorithm", "saem", "--label", "a")
    assert outcome.status == ExitCode.USAGE
    assert "seam" in outcome.err


@pytest.mark.parametrize("module", ["torch", "grpc", "google"])
def test_help_loads_nothing_slow(module):
    program = (
        "import sys; from modelfoundry.cli.main import run; run(['decompose', '--help']);"
        f"sys.exit({module!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0


def test_a_reader_that_goes_away_is_not_told_so():
    command = f"{sys.executable} -m modelfoundry.cli --help | true"
    outcome = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert outcome.stderr == ""
