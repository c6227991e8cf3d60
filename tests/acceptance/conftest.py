"""Fixtures of the acceptance tests: a server process, a receiver over TLS."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from .harness import Receiver, ServerProcess


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority of the tests' own."""
    return trustme.CA()


@pytest.fixture
async def receiver(authority: trustme.CA) -> AsyncIterator[Receiver]:
    """A receiver over TLS on loopback."""
    async with Receiver(authority) as running:
        yield running


@pytest.fixture
async def server(tmp_path: Path, authority: trustme.CA) -> AsyncIterator[ServerProcess]:
    """A server process that trusts the receiver's certificate and may connect to loopback."""
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    environment = {
        "SLUICEGATE_TLS_CA_FILE": str(ca_file),
        "SLUICEGATE_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
        "SLUICEGATE_RETRY_SLOW_S": "1,1,1,1,1,1,1",
        "SLUICEGATE_RETRY_JITTER": "0",
    }
    async with ServerProcess(tmp_path, environment=environment) as running:
        yield running
