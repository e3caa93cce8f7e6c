"""Every error has an exit status of its own class."""

from __future__ import annotations

import grpc
import pytest

from modelfoundry import errors
from modelfoundry.cli.exit_codes import EXIT_CODE_BY_ERROR, MEANING, ExitCode, exit_code_for
from modelfoundry.wire.statuses import code_for

EXIT_CODE_BY_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: ExitCode.USAGE,
    grpc.StatusCode.NOT_FOUND: ExitCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS: ExitCode.CONFLICT,
    grpc.StatusCode.ABORTED: ExitCode.CONFLICT,
    grpc.StatusCode.FAILED_PRECONDITION: ExitCode.CONFLICT,
    grpc.StatusCode.DEADLINE_EXCEEDED: ExitCode.DEADLINE,
}


def test_every_error_has_an_exit_code():
    assert set(EXIT_CODE_BY_ERROR) == set(errors.ModelFoundryError.__subclasses__())


def test_every_exit_code_is_explained():
    assert set(MEANING) == set(ExitCode)


@pytest.mark.parametrize("error", EXIT_CODE_BY_ERROR, ids=lambda error: error.__name__)
def test_errors_of_one_status_end_with_one_exit_code(error):
    status = code_for(error("x"))
    if error is errors.WorkerLost:
        assert exit_code_for(error("x")) is ExitCode.FAILED  # the services can be reached, one job was lost
    elif status is grpc.StatusCode.UNAVAILABLE:
        assert exit_code_for(error("x")) is ExitCode.UNAVAILABLE
    else:
        assert exit_code_for(error("x")) is EXIT_CODE_BY_STATUS.get(status, ExitCode.FAILED)
