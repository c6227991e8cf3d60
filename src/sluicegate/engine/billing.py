"""The use cases of billing, as far as a self-hosted server has any: true usage, no invoices.

Clients of the hosted service ask for these, and must not break when they ask here.
"""

from datetime import UTC, date, datetime

import msgspec

from sluicegate.engine import bounds
from sluicegate.engine.moments import from_ms
from sluicegate.engine.ports import Clock, Storage, UsageMonth
from sluicegate.engine.settings import Settings

__all__ = [
    "INVOICE_ID_CHARS_MAX",
    "OFFSET_MAX",
    "PAGE_MAX",
    "UNLIMITED",
    "Billing",
    "MonthlyUsage",
    "Subscription",
    "UsagePage",
]

PAGE_MAX = 100
"""Months, or invoices, on one page."""
UNLIMITED = 2**53 - 1
"""What a limit that does not exist is shown as. Clients want an integer, divide by it and compare
with it: 0 or -1 would read as used up. This is the largest that every reader of JSON keeps exactly
(RFC 7493 §2.2)."""
OFFSET_MAX = 1_000_000
"""Months that may be skipped."""
INVOICE_ID_CHARS_MAX = 255
"""What an invoice's id may be long, if it existed."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """What a project may use, and has used in the month under way."""

    messages_used: int
    """Messages accepted since `period_start`; what was deleted later counts too."""
    period_start: datetime
    """The first moment of the calendar month (UTC)."""
    period_end: datetime
    """The first moment of the next one."""
    retention_days: int
    """After so many days messages and attempts are removed."""
    max_retries: int
    """Attempts after the first one, in a cycle."""
    plan: str = "self-hosted"
    status: str = "active"
    messages_per_month: int = UNLIMITED
    max_projects: int = UNLIMITED
    max_endpoints: int = UNLIMITED


class MonthlyUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a project used in one calendar month (UTC)."""

    period_start: date
    """The first day."""
    period_end: date
    """The first day of the next month."""
    message_count: int


class UsagePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the months with messages, newest first."""

    rows: list[MonthlyUsage]
    total: int
    """Months with messages, on this page or not."""
    limit: int
    offset: int

    @property
    def has_more(self) -> bool:
        """Whether there are older ones."""
        return self.offset + len(self.rows) < self.total


class Billing:
    """What every project used. Used on the engine's event loop only."""

    def __init__(self, storage: Storage, clock: Clock, settings: Settings) -> None:
        self._storage = storage
        self._clock = clock
        self._settings = settings

    async def subscription(self, project_id: str) -> Subscription:
        """Return what the project may use and has used this month."""
        now = from_ms(self._clock.wall_ms())
        start = date(now.year, now.month, 1)
        return Subscription(
            messages_used=await self._storage.month_usage(project_id, start.strftime("%Y-%m")),
            period_start=_midnight(start),
            period_end=_midnight(_next_month(start)),
            retention_days=self._settings.history_days,
            max_retries=self._settings.attempts_max - 1,
        )

    async def usage_history(
        self, project_id: str, *, limit: int = 12, offset: int = 0
    ) -> UsagePage:
        """Return a page of the months in which the project sent messages, newest first.

        Args:
            project_id: whose.
            limit: 1 to `PAGE_MAX` months.
            offset: how many months to skip, 0 to 1,000,000.

        Raises:
            InvalidRequestError: one of them is out of range.
        """
        bounds.whole("limit", limit, minimum=1, maximum=PAGE_MAX)
        bounds.whole("offset", offset, minimum=0, maximum=OFFSET_MAX)
        months, total = await self._storage.usage_months(project_id, limit=limit, offset=offset)
        rows = [_monthly(month) for month in months]
        return UsagePage(rows=rows, total=total, limit=limit, offset=offset)

    def check_invoices(self, *, limit: int, starting_after: str | None) -> None:
        """Check what a list of invoices, which is always empty, was asked for with.

        Args:
            limit: 1 to `PAGE_MAX`.
            starting_after: an invoice's id, at most 255 characters.

        Raises:
            InvalidRequestError: one of them is out of range.
        """
        bounds.whole("limit", limit, minimum=1, maximum=PAGE_MAX)
        if starting_after is not None:
            bounds.text("starting_after", starting_after, chars_max=INVOICE_ID_CHARS_MAX)


def _monthly(usage: UsageMonth) -> MonthlyUsage:
    year, month = usage.month.split("-")
    start = date(int(year), int(month), 1)
    return MonthlyUsage(
        period_start=start, period_end=_next_month(start), message_count=usage.accepted
    )


def _next_month(start: date) -> date:
    return date(start.year + start.month // 12, start.month % 12 + 1, 1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
