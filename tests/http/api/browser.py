"""A real Chromium without a window, driven over the DevTools protocol."""

import asyncio
import base64
import contextlib
import itertools
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

WAIT_S = 60.0
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--window-size=1400,1600",
)
_LISTENS = re.compile(rb"DevTools listening on (ws://\S+)")


def chromium() -> str:
    """Return the browser's path; install it where that is possible, else skip the test.

    Where `CI` is set it fails instead: a run that opened no page must not look as if it had.
    """
    found = shutil.which("chromium")
    apt = shutil.which("apt-get")
    if found is None and apt is not None and os.getuid() == 0:
        for arguments in ("update -qq", "install -y -qq --no-install-recommends chromium"):
            subprocess.run(  # noqa: S603 - a fixed command
                [apt, *arguments.split()], check=False, capture_output=True
            )
        found = shutil.which("chromium")
    if found is None:
        told = "*** chromium is not installed: the reference page was NOT opened ***"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    return found


class Tab:
    """One page of the browser, and everything that happened in it.

    Attributes:
        requests: the URL of every request that the page made, refused ones too.
        complaints: errors on the console, uncaught exceptions, what the policy refused.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._socket = socket
        self._session = ""
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._noted = asyncio.Event()

    async def open(self, url: str) -> None:
        """Make the page, watch it, then go to `url`."""
        target = await self._call("Target.createTarget", url="about:blank")
        attached = await self._call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Network", "Runtime", "Log", "Audits", "Page"):
            await self._call(f"{domain}.enable")
        await self._call("Page.navigate", url=url)

    async def evaluate(self, expression: str) -> Any:
        """Return what an expression, or its promise, comes to."""
        answer = await self._call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def press(self, key: str, *, control: bool = False) -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            await self._call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=f"Key{key.upper()}",
                windowsVirtualKeyCode=ord(key.upper()),
                modifiers=2 if control else 0,
            )

    async def shows(self, text: str) -> None:
        """Wait until the page shows `text`."""
        await self.evaluate(
            f"""new Promise(done => {{
                const shown = () => document.body?.innerText ?? "";
                const look = () => shown().includes({text!r}) && done(true);
                new MutationObserver(look).observe(
                    document, {{childList: true, subtree: true, characterData: true}});
                look();
            }})"""
        )

    async def complains(self, word: str) -> None:
        """Wait until something complains with this word."""
        async with asyncio.timeout(WAIT_S):
            while not any(word in each for each in self.complaints):
                self._noted.clear()
                await self._noted.wait()

    async def screenshot(self) -> bytes:
        """Return the visible part as PNG."""
        shot = await self._call("Page.captureScreenshot")
        return base64.b64decode(shot["data"])

    async def listen(self) -> None:
        """Take in what the browser says, until it ends."""
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                waiting = self._waiting.pop(said["id"])
                if not waiting.done():
                    waiting.set_result(said)
            else:
                self._note(said["method"], said["params"])
                self._noted.set()
        for each in self._waiting.values():
            each.cancel()

    def _note(self, event: str, told: dict[str, Any]) -> None:
        match event:
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(told["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "assert"):
                self.complaints.append(str(told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] == "error":
                self.complaints.append(told["entry"]["text"])
            case "Audits.issueAdded" if "ContentSecurityPolicy" in told["issue"]["code"]:
                self.complaints.append(str(told["issue"]["details"]))
            case _:
                pass

    async def _call(self, method: str, **params: object) -> Any:
        number = next(self._numbers)
        self._waiting[number] = answer = asyncio.get_running_loop().create_future()
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.send_json({"id": number, "method": method, "params": params, **session})
        async with asyncio.timeout(WAIT_S):
            said = await answer
        assert "error" not in said, said
        return said["result"]


@contextlib.asynccontextmanager
async def new_tab(profile: Path) -> AsyncIterator[Tab]:
    """Run a browser with a fresh profile while the context lasts."""
    process = await asyncio.create_subprocess_exec(
        chromium(),
        *_FLAGS,
        f"--user-data-dir={profile}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(WAIT_S), contextlib.AsyncExitStack() as stack:
            while (found := _LISTENS.search(await process.stderr.readline())) is None:
                assert not process.stderr.at_eof(), "the browser ended"
            rest = asyncio.create_task(process.stderr.read())
            stack.push_async_callback(asyncio.wait, [rest])
            session = await stack.enter_async_context(aiohttp.ClientSession())
            url = found[1].decode()
            socket = await session.ws_connect(url, max_msg_size=0)
            tab = Tab(socket)
            listening = asyncio.create_task(tab.listen())
            closing = stack.pop_all()
        try:
            yield tab
        finally:
            process.kill()
            await socket.close()
            await asyncio.wait([listening])
            await closing.aclose()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
