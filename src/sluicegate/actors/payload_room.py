"""How much memory the payloads of waiting messages may take."""

import msgspec

from sluicegate.engine.model import WaitingMessage

__all__ = ["PayloadRoom"]

_SHARE = 8


class PayloadRoom:
    """The room for payloads in the windows of all actors together.

    A message that finds none waits without its payload, which is read when its attempt starts.
    One payload gets an eighth of what is left at the most: so a few large ones leave room to many
    small ones, and many large ones too. Used on the event loop only.
    """

    __slots__ = ("_left_bytes",)

    def __init__(self, bytes_max: int) -> None:
        """Begin with room for `bytes_max` bytes."""
        self._left_bytes = bytes_max

    @property
    def left_bytes(self) -> int:
        """How much is left."""
        return self._left_bytes

    def keep(self, message: WaitingMessage) -> WaitingMessage:
        """Return a message as it may wait: as it is, or without its payload. See `let_go`."""
        payload = message.payload
        if payload is None:
            return message
        if len(payload) * _SHARE > self._left_bytes:
            return msgspec.structs.replace(message, payload=None)
        self._left_bytes -= len(payload)
        return message

    def let_go(self, message: WaitingMessage) -> None:
        """Take note that a message which `keep` returned waits here no more."""
        if message.payload is not None:
            self._left_bytes += len(message.payload)
