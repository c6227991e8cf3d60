"""Judges a history by the one rule that matters most."""

from sluicegate.simulation.oracle.history import Call, History, Operation
from sluicegate.simulation.runs.violation import Violation

__all__ = ["judge"]

_FINISHED = {"succeeded", "failed_permanent", "paused"}


def judge(history: History) -> list[Violation]:
    """Return which messages were accepted, and yet did not come to an end."""
    views = {view.id: view for view in history.messages}
    arrived = {exchange.request.message_id for exchange in history.exchanges}
    found: list[Violation] = []

    def note(rule: str, call: Call, text: str) -> None:
        text = f"message {call.message_id} of call {call.number} {text}"
        found.append(Violation(rule=rule, at_s=call.began_s, text=text))

    for call in history.calls:
        if call.operation is not Operation.SEND or not call.succeeded or not call.message_id:
            continue
        view = views.get(call.message_id)
        if view is None:
            note("lost", call, "is gone")
        elif view.status not in _FINISHED:
            note("unfinished", call, f"is {view.status} at the end")
        elif view.status == "succeeded" and call.message_id not in arrived:
            note("never_arrived", call, "did not arrive")
    return found
