"""The lifecycle table as a diagram, for the documentation.

`docs/architecture.md` holds the result between two markers; a test compares the two.
"""

from sluicegate.engine.lifecycle import TRANSITIONS, MessageStatus

__all__ = ["mermaid"]


def mermaid() -> str:
    """Return a Mermaid state diagram of `TRANSITIONS`, in the table's order, without a fence.

    Triggers that lead from one status to the same other one share an arrow.
    """
    arrows: dict[tuple[MessageStatus, MessageStatus], list[str]] = {}
    for (status, trigger), following in TRANSITIONS.items():
        arrows.setdefault((status, following), []).append(trigger.value)
    lines = ["stateDiagram-v2", f"    [*] --> {MessageStatus.QUEUED.value}: accepted"]
    lines += [
        f"    {status.value} --> {following.value}: {', '.join(triggers)}"
        for (status, following), triggers in arrows.items()
    ]
    return "\n".join(lines)
