"""Says on standard error how far a run is: a bar on a terminal, lines elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["Steps"]


class Steps:
    """A run's steps, counted."""

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._total = total
        self._done = 0
        self._started_s = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description:<44}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        """Begin."""
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        if self._console.is_terminal:
            self._bar.stop()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started_s

    def begin(self, text: str) -> None:
        """Say which step begins; the one before is done."""
        self._bar.update(self._task, completed=self._done)
        self._done += 1
        self.say(text, mark=f"[{self._done}/{self._total}] ")

    def say(self, text: str, *, mark: str = "") -> None:
        """Say more about the step."""
        if self._console.is_terminal:
            self._bar.update(self._task, description=text)
        else:
            self._console.print(f"{self.elapsed_s:5.0f} s  {mark}{text}", markup=False)
