"""Progress bars on stderr. Where stderr is no terminal there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from modelfoundry.cli.rendering.quantities import duration, percent
from modelfoundry.cli.rendering.tables import stderr_console

if TYPE_CHECKING:
    from modelfoundry.client import Progress as JobProgress

RATIO_WORDS: Final = ("accuracy", "retention", "fraction")


def metric(name: str, value: float) -> str:
    """A figure of the moment with its name: `loss 0.213`, `weight retention 31.0 %`."""
    spoken = name.replace("_", " ")
    shown = percent(value) if any(word in name for word in RATIO_WORDS) else f"{value:.3g}"
    return f"{spoken} {shown}"


@contextmanager
def transfer_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for bytes on their way: yields a function of bytes done and bytes in all."""
    console = stderr_console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        bar = bars.add_task(escape(title), total=None)

        def show(done: int, total: int) -> None:
            bars.update(bar, completed=done, total=total)

        yield show


class JobBars:
    """A bar for every job: phase, figures of the moment, time left."""

    def __init__(self) -> None:
        console = stderr_console()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[phase]}"),
            TextColumn("{task.fields[figures]}", style="dim"),
            TextColumn("{task.fields[left]}", style="cyan"),
            console=console,
            disable=not console.is_terminal,
        )
        self._bar_by_job: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """Prints a line on stderr, above the bars."""
        self._bars.console.print(text, markup=False, soft_wrap=True)

    def add(self, job: str, title: str) -> None:
        """Begins a bar for a job."""
        self._bar_by_job[job] = self._bars.add_task(escape(title), total=1.0, phase="queued", figures="", left="")

    def show(self, job: str, progress: JobProgress) -> None:
        """Moves a job's bar."""
        figures = "  ".join(metric(name, value) for name, value in sorted(progress.metrics.items()))
        left = f"{duration(progress.remaining.total_seconds())} left" if progress.remaining is not None else ""
        self._bars.update(
            self._bar_by_job[job],
            completed=progress.fraction,
            phase=escape(progress.phase),
            figures=escape(figures),
            left=left,
        )

    def finish(self, job: str, outcome: str, *, succeeded: bool) -> None:
        """Ends a job's bar, saying what came of it."""
        bar = self._bar_by_job[job]
        self._bars.update(bar, phase=escape(outcome), left="")
        if succeeded:
            self._bars.update(bar, completed=1.0)

    def remark(self, text: str) -> None:
        """Prints a line above the bars; also where there are no bars."""
        self._bars.console.print(text, markup=False, soft_wrap=True)
