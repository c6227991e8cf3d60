"""What billing tells: usage, and limits that do not exist."""

from datetime import date, datetime

import msgspec

__all__ = ["UNLIMITED", "MonthlyUsage", "Subscription", "UsagePage"]

UNLIMITED = 2**53 - 1
"""What a limit that does not exist is shown as. Clients want an integer, divide by it and compare
with it: 0 or -1 would read as used up. This is the largest that every reader of JSON keeps exactly
(RFC 7493 §2.2)."""


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
