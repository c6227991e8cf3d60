"""Billing over HTTP, as far as a self-hosted server has any: contract section 6."""

from typing import Annotated, Any

from msgspec import Meta

from sluicegate.engine.billing import INVOICE_ID_CHARS_MAX, OFFSET_MAX, PAGE_MAX, Billing
from sluicegate.http.answers import Answer, counted, listing, success
from sluicegate.http.api.billing_answers import MonthlyUsageAnswer, SubscriptionAnswer
from sluicegate.http.api.parameters import limit
from sluicegate.http.api.route import Envelope, Query, Route
from sluicegate.http.calls import Call

__all__ = ["BillingHandlers"]

_LIMIT = limit(PAGE_MAX, default=12)
_OFFSET = Query(
    name="offset",
    description="How many months to skip.",
    type=Annotated[int, Meta(ge=0, le=OFFSET_MAX)],
    default=0,
)
_STARTING_AFTER = Query(
    name="starting_after",
    description="An invoice's id.",
    type=Annotated[str, Meta(max_length=INVOICE_ID_CHARS_MAX)],
)


class BillingHandlers:
    """Translates requests about usage; nobody is billed."""

    def __init__(self, billing: Billing) -> None:
        self._billing = billing

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        return (
            Route(
                method="GET",
                path="/v1/billing/subscription",
                handler=self.subscription,
                name="get_subscription",
                tag="Billing",
                summary="Get the subscription",
                description="The plan is always `self-hosted`. Usage is that of the calendar "
                "month (UTC).",
                answer=SubscriptionAnswer,
            ),
            Route(
                method="GET",
                path="/v1/billing/usage-history",
                handler=self.usage_history,
                name="get_usage_history",
                tag="Billing",
                summary="List usage by month",
                description="Calendar months (UTC) with messages, newest first.",
                query=(_LIMIT, _OFFSET),
                answer=MonthlyUsageAnswer,
                envelope=Envelope.COUNTED,
                errors=("INVALID_REQUEST",),
            ),
            Route(
                method="GET",
                path="/v1/billing/invoices",
                handler=self.invoices,
                name="list_invoices",
                tag="Billing",
                summary="List invoices",
                description="There are none.",
                query=(_LIMIT, _STARTING_AFTER),
                answer=dict[str, Any],
                envelope=Envelope.LIST,
                errors=("INVALID_REQUEST",),
            ),
        )

    async def subscription(self, call: Call) -> Answer:
        """GET /v1/billing/subscription."""
        subscription = await self._billing.subscription(call.project_id)
        return success(call.request_id, SubscriptionAnswer.of(subscription))

    async def usage_history(self, call: Call) -> Answer:
        """GET /v1/billing/usage-history."""
        page = await self._billing.usage_history(
            call.project_id,
            limit=_LIMIT.whole(call.request),
            offset=_OFFSET.whole(call.request),
        )
        return counted(
            call.request_id,
            [MonthlyUsageAnswer.of(month) for month in page.rows],
            total=page.total,
            limit=page.limit,
            offset=page.offset,
        )

    async def invoices(self, call: Call) -> Answer:
        """GET /v1/billing/invoices."""
        self._billing.check_invoices(
            limit=_LIMIT.whole(call.request),
            starting_after=_STARTING_AFTER.text(call.request),
        )
        return listing(call.request_id, [])
