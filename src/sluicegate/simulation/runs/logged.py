"""Which of the engine's errors in the log are explained by what was done to it."""

from sluicegate.simulation.runs.scene import Scene

__all__ = ["unexplained"]

_BY_DISK = (
    "storage.",
    "write.failed",
    "chore.failed",
    "actor.",
    "endpoint.parked",
    "message.",
    "attempt.unsent",
    "export.",
)
_BY_BUGS = ("actor.", "endpoint.parked", "message.")
_SHOWN_MAX = 5


def unexplained(scene: Scene) -> list[str]:
    """Return the lines of errors and alarms that no fault explains, a few of them."""
    explained = (_BY_DISK if scene.disk_harmed else ()) + (_BY_BUGS if scene.buggy else ())
    lines = [each for each in scene.logged if not each.split(" ")[2].startswith(explained or "\0")]
    return lines[:_SHOWN_MAX]
