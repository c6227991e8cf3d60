"""Fixtures of the actors' tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A directory of endpoint actors on a database of its own."""
    async with World(tmp_path) as running:
        yield running
