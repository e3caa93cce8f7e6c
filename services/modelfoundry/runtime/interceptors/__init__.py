"""What happens round every call, one idea a file, in the order in which a call passes them."""

from __future__ import annotations

from modelfoundry.runtime.interceptors.access import AccessLog
from modelfoundry.runtime.interceptors.deadline import UnaryDeadline
from modelfoundry.runtime.interceptors.drain import WatchDrain
from modelfoundry.runtime.interceptors.mapping import ErrorMapping
from modelfoundry.runtime.interceptors.validation import RequestValidation
from modelfoundry.runtime.options import ServerOptions
from modelfoundry.runtime.shutdown import ShutdownSignal

__all__ = ["build_interceptors"]


def build_interceptors(
    options: ServerOptions, shutdown: ShutdownSignal
) -> tuple[AccessLog, ErrorMapping, WatchDrain, UnaryDeadline, RequestValidation]:
    """The interceptors of a server, outermost first."""
    return (
        AccessLog(),
        ErrorMapping(),
        WatchDrain(shutdown),
        UnaryDeadline(options.unary_deadline_seconds),
        RequestValidation(options.message_limit_bytes),
    )
