"""What is answered about billing: contract section 6."""

from typing import Annotated, Self

import msgspec
from msgspec import Meta

from sluicegate.engine.billing_views import MonthlyUsage, Subscription
from sluicegate.engine.moments import format_moment
from sluicegate.http.api.fields import Moment

__all__ = ["MonthlyUsageAnswer", "SubscriptionAnswer"]

_Day = Annotated[str, Meta(examples=["2026-04-01"], extra_json_schema={"format": "date"})]


class SubscriptionLimitsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a project may use; 9007199254740991 (2^53 - 1) is no limit."""

    plan: str
    messages_per_month: int
    max_projects: int
    max_endpoints: int
    retention_days: int
    """After so many days messages and attempts are removed."""
    max_retries: int
    """Attempts after the first one, in a cycle."""


class SubscriptionUsageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a project has used in the month under way."""

    messages_used: int
    """Messages accepted; deleted ones count too."""
    period_start: Moment
    period_end: Moment


class SubscriptionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription that costs nothing and does not end."""

    plan: str
    status: str
    limits: SubscriptionLimitsAnswer
    usage: SubscriptionUsageAnswer
    cancel_at_period_end: bool
    current_period_end: Moment

    @classmethod
    def of(cls, one: Subscription) -> Self:
        """Write a subscription."""
        end = format_moment(one.period_end)
        return cls(
            plan=one.plan,
            status=one.status,
            limits=SubscriptionLimitsAnswer(
                plan=one.plan,
                messages_per_month=one.messages_per_month,
                max_projects=one.max_projects,
                max_endpoints=one.max_endpoints,
                retention_days=one.retention_days,
                max_retries=one.max_retries,
            ),
            usage=SubscriptionUsageAnswer(
                messages_used=one.messages_used,
                period_start=format_moment(one.period_start),
                period_end=end,
            ),
            cancel_at_period_end=False,
            current_period_end=end,
        )


class MonthlyUsageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a project used in one calendar month (UTC)."""

    period_start: _Day
    """The first day."""
    period_end: _Day
    """The first day of the next month."""
    message_count: int
    overage_count: int
    plan_limit: int | None
    """Always `null`: there is no limit, and so nothing over it."""

    @classmethod
    def of(cls, month: MonthlyUsage) -> Self:
        """Write a month."""
        return cls(
            period_start=month.period_start.isoformat(),
            period_end=month.period_end.isoformat(),
            message_count=month.message_count,
            overage_count=0,
            plan_limit=None,
        )
