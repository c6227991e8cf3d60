"""The lines that the README shows for a script."""

import ast
import asyncio
import inspect

from sluicegate import Engine, Settings

from .conftest import Receiver
from .documented import block, lines_of


async def test_three_lines_send_from_a_script(settings: Settings, receiver: Receiver) -> None:
    """What they send is durable and arrives once: at once, or when the file is opened again."""
    code = block("README.md", "In a Python program")
    assert lines_of(code) == 1 + 3  # the import, and three lines
    code = code.replace(":9000/", f":{receiver.port}/")
    compiled = compile(code, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    sending = eval(compiled, {})  # noqa: S307 - our own README
    assert inspect.iscoroutine(sending)
    await sending
    async with Engine(settings) as engine:
        assert len((await engine.list_logs()).items) == 1
        assert await asyncio.to_thread(receiver.next_body) == b'{"event":"order.created"}'
    assert receiver.bodies.empty()
