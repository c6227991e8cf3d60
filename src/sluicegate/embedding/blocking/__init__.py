"""What `sluicegate.engine.calls` asks, by the same names, but that each call blocks.

The modules here but this one and `scope` are made from those of `engine.calls` by
`make blocking-calls`, and a test compares: no method is written twice.
"""

from sluicegate.embedding.blocking.activity import BlockingActivityCalls
from sluicegate.embedding.blocking.api_keys import BlockingApiKeyCalls
from sluicegate.embedding.blocking.endpoints import BlockingEndpointCalls
from sluicegate.embedding.blocking.exports import BlockingExportCalls
from sluicegate.embedding.blocking.messages import BlockingMessageCalls
from sluicegate.embedding.blocking.operations import BlockingOperationCalls

__all__ = ["BlockingCalls"]


class BlockingCalls(
    BlockingEndpointCalls,
    BlockingMessageCalls,
    BlockingOperationCalls,
    BlockingExportCalls,
    BlockingActivityCalls,
    BlockingApiKeyCalls,
):
    """The use cases of one project, blocking."""
