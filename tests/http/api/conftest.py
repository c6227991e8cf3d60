"""The fixture of the API's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .harness import Api, running_api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """A server with the default settings."""
    async with running_api(tmp_path) as running:
        yield running
