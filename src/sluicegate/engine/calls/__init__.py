"""What a program that embeds Sluicegate asks of one project, by name and with plain values.

Values are made drafts, answers are the use cases'. Every method raises the errors of
`sluicegate.engine.errors`, whatever values it is given; and `RuntimeError` before there is a
project, that is before the engine is open.
"""

from sluicegate.engine.calls.activity import ActivityCalls
from sluicegate.engine.calls.api_keys import ApiKeyCalls
from sluicegate.engine.calls.endpoints import EndpointCalls
from sluicegate.engine.calls.exports import ExportCalls
from sluicegate.engine.calls.messages import MessageCalls
from sluicegate.engine.calls.operations import OperationCalls

__all__ = ["ProjectCalls"]


class ProjectCalls(
    EndpointCalls, MessageCalls, OperationCalls, ExportCalls, ActivityCalls, ApiKeyCalls
):
    """The use cases of one project."""
