"""What is said of an attempt that got no response: the same sentences, whichever sender made it."""

__all__ = [
    "BAD_HOST",
    "CLOSED_EARLY",
    "CLOSED_IN_HANDSHAKE",
    "FAILED",
    "NOT_CONNECTED_IN_TIME",
    "NOT_RESOLVED",
    "SHORTAGE",
    "UNSENDABLE",
    "refused",
    "too_late",
]

BAD_HOST = "the URL's host is neither a name nor a plain address"
"""An IPv4 address in any spelling but the dotted quad: other programs read it otherwise."""
NOT_RESOLVED = "host name did not resolve, or not in time"
NOT_CONNECTED_IN_TIME = "connection not established in time"
CLOSED_IN_HANDSHAKE = "connection closed during the TLS handshake"
CLOSED_EARLY = "connection closed before a response"
UNSENDABLE = "request cannot be sent: the URL or a header is not valid"
FAILED = "connection failed"
SHORTAGE = "too many open files, or no memory"
"""Nothing was sent, and it is no fault of the receiver's."""


def refused(address: str) -> str:
    """Return the line about an address that the policy does not allow."""
    return f"address {address} is not allowed"


def too_late(timeout_s: float) -> str:
    """Return the line about an attempt whose time was over."""
    return f"no response within {timeout_s:g} s"
