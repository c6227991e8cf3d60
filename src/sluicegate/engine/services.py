"""Everything that a client can ask for, whether over HTTP or from Python."""

import msgspec

from sluicegate.engine.activity import Activity
from sluicegate.engine.api_keys import ApiKeys
from sluicegate.engine.billing import Billing
from sluicegate.engine.endpoints import Endpoints
from sluicegate.engine.exports import Exports
from sluicegate.engine.message_operations import MessageOperations
from sluicegate.engine.messages import Messages
from sluicegate.engine.pages import Page

__all__ = ["Page", "Services"]


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """The use cases of one engine."""

    endpoints: Endpoints
    messages: Messages
    operations: MessageOperations
    exports: Exports
    api_keys: ApiKeys
    activity: Activity
    billing: Billing
