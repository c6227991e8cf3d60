"""What is left of exchanges that ended, however they did: nothing."""

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.ports import Request

if TYPE_CHECKING:
    from tests.conformance.sender.conftest import Behaviour, Link, MakeReceiver, MakeSender

TIMES = 3


async def hang_up(link: "Link") -> None:
    """Go at once."""
    link.reset()


async def say_nothing(link: "Link") -> None:
    """Take everything and answer nothing."""
    await link.gone()


async def speak_plainly(link: "Link") -> None:
    """Answer in plain HTTP, also where TLS is spoken, and hang up."""
    await link.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")


def connections() -> int:
    """Return how many connections of senders there are in the process."""
    gc.collect()
    kinds = (type(each) for each in gc.get_objects())
    return sum(
        issubclass(kind, asyncio.Protocol) and kind.__module__.startswith("sluicegate.")
        for kind in kinds
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("behave", [hang_up, say_nothing, speak_plainly])
@pytest.mark.parametrize("cancelled", [False, True], ids=["ends", "cancelled"])
async def test_nothing_is_left_of_an_exchange_that_ended(
    make_sender: "MakeSender",
    make_receiver: "MakeReceiver",
    behave: "Behaviour",
    scheme: str,
    cancelled: bool,  # noqa: FBT001 - pytest passes by name
) -> None:
    """In the handshake or after it, by itself, by time or by us: no receiver can fill us up.

    In plain HTTP it is cancelled in the very moment that TCP stands, in TLS in the handshake:
    before that uvloop keeps it by its own timer of the handshake, for a minute.
    """
    heard = 0

    async def hear(link: "Link") -> None:
        nonlocal heard
        heard += bool(await link.read_some())
        await behave(link)

    receiver = await make_receiver(hear)
    sender = make_sender()
    url = receiver.url().replace("http:", f"{scheme}:")
    # By time it ends only where nobody cancels it, who must have heard of it before.
    request = Request(url=url, headers=(), body=b"{}", timeout_s=30 if cancelled else 0.05)
    before = connections()
    for number in range(TIMES):
        post = asyncio.ensure_future(sender.post(request))
        if cancelled:
            # In the very turn: an event would be heard of a turn later.
            while (heard if scheme == "https" else receiver.connections) == number:  # noqa: ASYNC110
                await asyncio.sleep(0)
            post.cancel()
        await asyncio.gather(post, return_exceptions=True)
    del post  # and how it ended
    await receiver.idle()
    for _ in range(3):  # the ends of connections are told in turns of the loop
        await asyncio.sleep(0)
    assert connections() == before
