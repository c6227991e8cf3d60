"""TLS towards receivers."""

import ssl
from functools import cache

from sluicegate.engine.errors import SettingError
from sluicegate.forks import LOADING

__all__ = ["check_name", "client_context", "tls_fault"]


def client_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities and those of `ca_file`.

    Verifies the chain and the host name, speaks TLS 1.2 or newer, and offers HTTP/1.1 alone.
    Reads files: call it at the start, not on a loop that serves. Without `ca_file` it is one for
    the whole process, however many engines there are: the system's authorities take long to read.

    Args:
        ca_file: certificates in PEM form, beside the system's; `None` for none.

    Raises:
        SettingError: `ca_file` cannot be read, or holds no certificate.
    """
    if ca_file is None:
        return _system_context()
    context = _new_context()
    try:
        with LOADING:
            context.load_verify_locations(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise SettingError(
            f"tls_ca_file: {ca_file!r} cannot be used: {error.strerror or error}",
            details={"setting": "tls_ca_file", "value": ca_file},
        ) from None
    return context


def _new_context() -> ssl.SSLContext:
    with LOADING:
        context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


@cache
def _system_context() -> ssl.SSLContext:
    return _new_context()


def check_name(name: str) -> None:
    """Check that a certificate can name a host, before anything is opened for it.

    The loops ask only in the handshake, and then keep the socket.

    Raises:
        ValueError: it cannot.
    """
    if not name:
        raise ValueError("an empty name")
    name.encode("idna")


def tls_fault(error: BaseException) -> str | None:
    """Return in one line for people what failed in a handshake; `None` if it was not TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or 'unknown').lower().replace('_', ' ')}"
    return None
