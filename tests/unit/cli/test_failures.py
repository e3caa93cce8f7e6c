"""What is printed about failures."""

from __future__ import annotations

import pytest
import typer

from modelfoundry import errors
from modelfoundry.cli.command import command, failures_rendered
from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.rendering.failures import failure_lines


def test_a_failure_is_a_line_what_and_a_line_hint():
    error = errors.NotFound("no model\nresnet2", hint="did you mean\n  resnet20?")
    assert failure_lines(error) == ["error: no model resnet2", "hint: did you mean resnet20?"]


def test_violations_are_listed_and_not_without_end():
    violations = tuple(errors.FieldViolation(f"tensor{i}", "missing") for i in range(25))
    lines = failure_lines(errors.WeightsMismatch("25 tensors do not fit", hint="see", violations=violations))
    assert lines[2] == "  - tensor0: missing"
    assert len(lines) == 2 + 20 + 1
    assert lines[-1] == "  - and 5 more"


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (errors.AlreadyExists("taken"), ExitCode.CONFLICT),
        (PermissionError(13, "Permission denied", "/x"), ExitCode.FAILED),
        (ZeroDivisionError("division by zero"), ExitCode.FAILED),
    ],
    ids=["on purpose", "system", "slip"],
)
def test_there_is_no_traceback_unless_asked_for(capsys, raised, status):
    for debug in (False, True):
        with pytest.raises(typer.Exit) as ended, failures_rendered(debug=debug):
            raise raised
        assert ended.value.exit_code == status
        printed = capsys.readouterr().err
        assert ("Traceback" in printed) is debug
        assert "error: " in printed


def test_a_slip_asks_to_be_reported(capsys):
    with pytest.raises(typer.Exit), failures_rendered(debug=False):
        raise KeyError("x")
    assert "--debug" in capsys.readouterr().err


def test_a_command_gets_its_session_from_the_shared_options(capsys):
    app = typer.Typer()
    seen = []

    @command(app, "look")
    def look(session, *, depth: int = 1) -> None:
        """Look."""
        seen.append((session.parent, session.as_json, depth))

    app(["--project", "team", "--json", "--depth", "3"], standalone_mode=False)
    assert seen == [("projects/team", True, 3)]
