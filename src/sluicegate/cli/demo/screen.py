"""What a demo shows: a live table on a terminal, plain lines anywhere else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from sluicegate.cli.demo.story import Check, Story

__all__ = ["Screen"]

_LIVE_EVERY_S = 0.1
_PLAIN_EVERY_S = 1.0
_BAR_CELLS_MAX = 40


class Screen:
    """Shows a story while it happens. Belongs to the running loop.

    Attributes:
        phase: what the endpoint is doing now, in a word.
    """

    def __init__(self, story: Story, *, console: Console) -> None:
        """Show `story` on `console`."""
        self._story = story
        self._console = console
        self._started_at_s = asyncio.get_running_loop().time()
        self.phase = "starting"

    @contextlib.asynccontextmanager
    async def showing(self) -> AsyncIterator[None]:
        """Keep what is shown up to date while the context lasts."""
        with contextlib.ExitStack() as stack:
            live = None
            if self._console.is_terminal:
                live = stack.enter_context(
                    Live(self._table(), console=self._console, auto_refresh=False)
                )
            task = asyncio.create_task(self._refresh(live))
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                if live is not None:
                    live.update(self._table(), refresh=True)

    def say(self, sentence: str) -> None:
        """Add a line that stays."""
        self._console.print(
            f"{self._elapsed_s():5.1f} s  {sentence}", highlight=False, soft_wrap=True
        )

    def conclude(self, checks: Sequence[Check]) -> None:
        """Show what was checked and what was seen."""
        table = Table("", "promised", "seen", box=None, pad_edge=False)
        for check in checks:
            table.add_row("ok" if check.is_kept else "FAILED", check.promise, check.seen)
        self._console.print()
        self._console.print(table, soft_wrap=True)
        kept = sum(check.is_kept for check in checks)
        self._console.print(f"\n{kept} of {len(checks)} promises kept", highlight=False)

    async def _refresh(self, live: Live | None) -> None:
        while True:
            await asyncio.sleep(_LIVE_EVERY_S if live is not None else _PLAIN_EVERY_S)
            if live is not None:
                live.update(self._table(), refresh=True)
            else:
                self.say(
                    f"{self.phase}: accepted {len(self._story.accepted)}, "
                    f"delivered {self._story.delivered}, waiting {self._story.waiting}"
                )

    def _table(self) -> Table:
        story = self._story
        colour = "yellow" if self.phase == "paused" else "green"
        table = Table(title=f"endpoint: [{colour}]{self.phase}[/]", title_justify="left", width=72)
        table.add_column("messages", width=10)
        table.add_column("", justify="right", width=6)
        table.add_column("", width=_BAR_CELLS_MAX)
        for name, count, style in (
            ("accepted", len(story.accepted), "blue"),
            ("delivered", story.delivered, "green"),
            ("waiting", story.waiting, "yellow"),
        ):
            table.add_row(name, str(count), f"[{style}]{self._bar(count)}[/]")
        signed = sum(each.is_signed for each in story.arrivals)
        last = story.arrivals[-1].number if story.arrivals else "-"
        table.add_row("signed", str(signed), f"last to arrive: number {last}")
        return table

    def _bar(self, count: int) -> str:
        return "█" * (count * _BAR_CELLS_MAX // max(len(self._story.accepted), _BAR_CELLS_MAX))

    def _elapsed_s(self) -> float:
        return asyncio.get_running_loop().time() - self._started_at_s
