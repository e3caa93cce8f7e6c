"""What the exit status of a command means."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from modelfoundry import errors


class ExitCode(IntEnum):
    """Exit statuses, the same for every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    UNAVAILABLE = 5
    DEADLINE = 6
    INTERRUPTED = 130


MEANING: Final[Mapping[ExitCode, str]] = MappingProxyType(
    {
        ExitCode.OK: "done",
        ExitCode.FAILED: "the operation failed",
        ExitCode.USAGE: "wrong usage, or the request is invalid",
        ExitCode.NOT_FOUND: "no such resource",
        ExitCode.CONFLICT: "not possible in this state: exists, changed, in use, not supported",
        ExitCode.UNAVAILABLE: "a service cannot be reached",
        ExitCode.DEADLINE: "the time ran out",
        ExitCode.INTERRUPTED: "interrupted",
    }
)

EXIT_CODE_BY_ERROR: Final[Mapping[type[errors.ModelFoundryError], ExitCode]] = MappingProxyType(
    {
        errors.InvalidField: ExitCode.USAGE,
        errors.UnknownLabel: ExitCode.USAGE,
        errors.UnknownArchitecture: ExitCode.USAGE,
        errors.DatasetMismatch: ExitCode.USAGE,
        errors.WeightsMismatch: ExitCode.USAGE,
        errors.MalformedFile: ExitCode.USAGE,
        errors.NonFiniteWeights: ExitCode.USAGE,
        errors.TestSplitSealed: ExitCode.USAGE,
        errors.DigestMismatch: ExitCode.USAGE,
        errors.RequestIdReused: ExitCode.USAGE,
        errors.InvalidImage: ExitCode.USAGE,
        errors.NotFound: ExitCode.NOT_FOUND,
        errors.AlreadyExists: ExitCode.CONFLICT,
        errors.EtagMismatch: ExitCode.CONFLICT,
        errors.LeaseLost: ExitCode.CONFLICT,
        errors.BlobMissing: ExitCode.CONFLICT,
        errors.InUse: ExitCode.CONFLICT,
        errors.UploadIncomplete: ExitCode.CONFLICT,
        errors.UnsupportedModel: ExitCode.CONFLICT,
        errors.DeviceUnavailable: ExitCode.CONFLICT,
        errors.ExportMismatch: ExitCode.CONFLICT,
        errors.ConstraintUnmet: ExitCode.CONFLICT,
        errors.NonFiniteOutputs: ExitCode.CONFLICT,
        errors.WrongOffset: ExitCode.FAILED,
        errors.CursorExpired: ExitCode.FAILED,
        errors.StorageFull: ExitCode.FAILED,
        errors.TooLarge: ExitCode.FAILED,
        errors.Overloaded: ExitCode.FAILED,
        errors.CorruptBlob: ExitCode.FAILED,
        errors.Cancelled: ExitCode.FAILED,
        errors.WorkerLost: ExitCode.FAILED,
        errors.Internal: ExitCode.FAILED,
        errors.Unavailable: ExitCode.UNAVAILABLE,
        errors.DeadlineExceeded: ExitCode.DEADLINE,
    }
)


def exit_code_for(error: errors.ModelFoundryError) -> ExitCode:
    """The status that a command ends with when `error` stopped it."""
    return EXIT_CODE_BY_ERROR.get(type(error), ExitCode.FAILED)


def explanation() -> str:
    """All statuses in one line, for help texts."""
    return ", ".join(f"{code.value} {meaning}" for code, meaning in MEANING.items())
