"""The demo itself: a server, a receiver and a sender in one process, over real HTTP."""

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from sluicegate.app import Engine
from sluicegate.cli.api import Api
from sluicegate.cli.demo.receiver import Receiver
from sluicegate.cli.demo.screen import Screen
from sluicegate.cli.demo.story import Story
from sluicegate.cli.failures import CommandError, StartError
from sluicegate.cli.logs import configure_logs
from sluicegate.cli.serve import listening
from sluicegate.cli.sockets import bind_sockets
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.settings import Settings

__all__ = ["demo"]

_SENDS_PER_S = 15
_FLOW_S = 3.0
_PAUSE_S = 3.0
_AFTER_S = 2.0
_DELIVERIES_PER_S = 30
"""The endpoint's rate limit: slow enough to watch what was held flow."""
_PATIENCE_S = 20.0
"""How long anything that must happen may take before the demo is a failure."""
_LOOK_EVERY_S = 0.02
_EXIT_INTERRUPTED = 130
_PLAIN_WIDTH = 120


@click.command()
def demo() -> None:
    """Watch it work: messages flow, are held by a pause, and flow again. Ends by itself.

    Server, receiver and sender run in this process, on a temporary database and loopback ports.
    The exit code is 0 when everything that was checked came true.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    try:
        code = asyncio.run(_until_signal(console))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("stopped")
        code = _EXIT_INTERRUPTED
    sys.exit(code)


async def _until_signal(console: Console) -> int:
    """Run the demo; SIGTERM ends it as Ctrl-C does, with everything tidied up."""
    demo = asyncio.create_task(_demo(console))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, demo.cancel)
    return await demo


async def _demo(console: Console) -> int:
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sluicegate-demo-"))
        settings = Settings(
            database=str(Path(folder, "demo.db")), dev=True, port=0, drain_s=1, log_level="error"
        )
        configure_logs(settings)
        receiver = Receiver()
        hook_url = await stack.enter_async_context(receiver.listening())
        sockets = await bind_sockets(settings.host, settings.port)
        for each in sockets:
            stack.callback(each.close)
        try:
            engine = await stack.enter_async_context(Engine(settings))
        except SluicegateError as error:
            raise StartError(error.message) from error
        await stack.enter_async_context(listening(engine, settings, sockets))
        url = f"http://{settings.host}:{sockets[0].getsockname()[1]}"
        assert engine.first_key is not None, "a new database has made its first key"
        api = await stack.enter_async_context(Api(url, engine.first_key))
        story = Story(arrivals=receiver.arrivals)
        screen = Screen(story, console=console)
        screen.say(f"server on {url}, receiver on {hook_url}")
        try:
            await _Demo(api, receiver, story, screen).play(hook_url)
        except* CommandError as group:
            failures = group.exceptions
        else:
            failures = ()
        if failures:
            raise failures[0]
        checks = story.checks()
        screen.conclude(checks)
        return 0 if all(check.is_kept for check in checks) else 1


class _Demo:
    """Plays the phases; everything it does goes over HTTP."""

    def __init__(self, api: Api, receiver: Receiver, story: Story, screen: Screen) -> None:
        self._api = api
        self._receiver = receiver
        self._story = story
        self._screen = screen
        self._sending = asyncio.Event()
        self._between_sends = asyncio.Event()
        self._now_s = asyncio.get_running_loop().time
        self._endpoint = ""

    async def play(self, hook_url: str) -> None:
        """Create an endpoint, let messages flow, pause, resume, and wait for the last one."""
        made = await self._api.call(
            "POST",
            "/v1/endpoints",
            {
                "url": hook_url,
                "ordered": True,
                "rate_limit_rps": _DELIVERIES_PER_S,
                "burst": 1,
            },
        )
        self._endpoint = made["id"]
        self._receiver.secret = made["signing_secret"]
        async with self._screen.showing(), asyncio.TaskGroup() as group:
            stream = group.create_task(self._stream())
            await self._flow()
            await self._pause()
            await self._resume()
            await self._quiet()
            stream.cancel()
            self._screen.phase = "flowing"
            await self._until(lambda: self._story.waiting == 0)
            self._screen.say("sending has ended, everything has arrived")

    async def _flow(self) -> None:
        self._screen.phase = "flowing"
        self._screen.say(f"sending {_SENDS_PER_S} messages a second")
        self._sending.set()
        await asyncio.sleep(_FLOW_S)

    async def _pause(self) -> None:
        story = self._story
        asked_at_s = self._now_s()
        await self._api.call("POST", f"/v1/endpoints/{self._endpoint}/pause")
        story.pause_answered_at_s = self._now_s()
        story.pause_took_s = story.pause_answered_at_s - asked_at_s
        story.begun_at_pause = story.begun
        self._screen.phase = "paused"
        self._screen.say(f"paused: answered in {story.pause_took_s * 1000:.1f} ms; sending goes on")
        await asyncio.sleep(_PAUSE_S)

    async def _resume(self) -> None:
        story = self._story
        await self._quiet()
        story.held_at_resume = story.waiting
        arrived = len(story.arrivals)
        story.resume_asked_at_s = self._now_s()
        answer = await self._api.call("POST", f"/v1/endpoints/{self._endpoint}/resume")
        story.resume_took_s = self._now_s() - story.resume_asked_at_s
        story.requeued = answer["messages_requeued"]
        self._screen.phase = "flowing"
        self._screen.say(
            f"resumed: answered in {story.resume_took_s * 1000:.1f} ms, "
            f"{story.requeued} messages were held; sending goes on"
        )
        self._sending.set()
        await self._until(lambda: len(story.arrivals) > arrived)
        await asyncio.sleep(_AFTER_S)

    async def _stream(self) -> None:
        """Send numbered messages one after another, so that their order is known."""
        while True:
            self._between_sends.set()
            await self._sending.wait()
            self._between_sends.clear()
            self._story.begun += 1
            answer = await self._api.call(
                "POST",
                "/v1/webhooks/send",
                {"endpoint_id": self._endpoint, "payload": {"number": self._story.begun}},
            )
            self._story.accepted.append(answer["message_id"])
            await asyncio.sleep(1 / _SENDS_PER_S)

    async def _quiet(self) -> None:
        """Stop sending and wait until no send is under way."""
        self._sending.clear()
        await self._between_sends.wait()

    async def _until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so, but not for ever: the checks will tell."""
        deadline_s = self._now_s() + _PATIENCE_S
        while not is_so():
            if self._now_s() > deadline_s:
                self._screen.say(f"gave up after {_PATIENCE_S:.0f} s")
                return
            await asyncio.sleep(_LOOK_EVERY_S)
