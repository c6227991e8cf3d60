"""Faults that are planned, each for one request of one receiver."""

from enum import StrEnum

import msgspec

__all__ = ["Mishap", "MishapKind", "check_number"]


class MishapKind(StrEnum):
    """What can befall one request, the simplest first.

    After each of them the engine sends the message again, but after the last.
    """

    ANSWER_LOST = "answer_lost"
    """The application acts; the connection breaks before its answer."""
    ANSWER_NEVER = "answer_never"
    """The application acts; its answer never comes, and the sender's time limit passes."""
    BUSY = "busy"
    """503, in the application's place, which never sees the request."""
    CRASH_BEFORE_ANSWER = "crash_before_answer"
    """The application acts; the receiver's process dies before its answer is sent."""
    CRASH_MIDWAY = "crash_midway"
    """The receiver's process dies where the application first waits for something; nothing
    befalls an application that waits for nothing."""
    SENDER_CRASH = "sender_crash"
    """The application acts; the engine's process dies before it can take the answer down."""
    CRASH_AFTER_ANSWER = "crash_after_answer"
    """The answer is sent; the receiver's process dies a moment later. Nothing is sent again after
    a 2xx: what was answered and not done yet is lost."""


class Mishap(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One planned fault."""

    host: str
    """The receiver's name."""
    request: int
    """The number of the request it befalls, among all that this receiver gets, from 1."""
    kind: MishapKind
    """Its value, such as `busy`, will do."""

    def __post_init__(self) -> None:
        """Hold every value to its bounds.

        Raises:
            ValueError: `host` is empty, `request` is not from 1, or there is no such kind.
        """
        if not self.host:
            raise ValueError(f"host: {self.host!r} is not allowed: the name of a receiver")
        check_number(self.request)
        MishapKind(self.kind)


def check_number(request: int) -> None:
    """Refuse what is no number of a request, from 1.

    Raises:
        ValueError: it is not.
    """
    if type(request) is not int or request < 1:
        raise ValueError(f"request: {request!r} is not allowed: requests are counted from 1")
