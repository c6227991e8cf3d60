"""The use cases of billing, as far as a self-hosted server has any: true usage, no invoices.

Clients of the hosted service ask for these, and must not break when they ask here.
"""

from datetime import UTC, date, datetime

from sluicegate.engine import bounds
from sluicegate.engine.billing_views import MonthlyUsage, Subscription, UsagePage
from sluicegate.engine.moments import from_ms
from sluicegate.engine.ports import Clock, Storage, UsageMonth
from sluicegate.engine.settings import Settings

__all__ = ["INVOICE_ID_CHARS_MAX", "OFFSET_MAX", "PAGE_MAX", "Billing"]

PAGE_MAX = 100
"""Months, or invoices, on one page."""
OFFSET_MAX = 1_000_000
"""Months that may be skipped."""
INVOICE_ID_CHARS_MAX = 255
"""What an invoice's id may be long, if it existed."""


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
