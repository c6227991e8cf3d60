"""Long bodies hold nobody up but their own senders."""

import asyncio
import time

import pytest

from sluicegate.engine.strict_json import check_json

from .harness import Answer, Api

LONGEST_PART = 1 / 3
"""Of the time that a long body takes to read on this machine; seen: less than a tenth of it. Read
on the loop, a body takes the whole."""
ITEM = b'{"endpoint_id":"ep_x","payload":[' + b"[]," * 340_000 + b"1]}"
FEW_MESSAGES = b'{"messages":[' + b",".join([ITEM] * 15) + b"]}"
BODIES = {
    "many arrays": b'{"messages":[' + b"[]," * 5_250_000 + b"1]}",
    "many arrays and one bad message": b'{"messages":[' + FEW_MESSAGES[13:-2] + b",1]}",
    "many strings": b'{"messages":[{"endpoint_id":"ep_x","payload":['
    + b'"",' * 5_250_000
    + b"1]}]}",
    "many objects beside": b'{"x":[' + b"{}," * 5_250_000 + b'1],"messages":[]}',
}


async def _longest_wait_s(request: "asyncio.Task[Answer]") -> float:
    """Return how long the loop kept a callback waiting at most until `request` was done.

    In time that this process had a processor, whichever of its threads: whoever reads, on the loop
    or elsewhere without letting go of the interpreter, uses it, and others on the machine do not.
    """
    longest_s, before_s = 0.0, time.process_time()
    while not request.done():
        await asyncio.sleep(0)
        now_s = time.process_time()
        longest_s, before_s = max(longest_s, now_s - before_s), now_s
    return longest_s


@pytest.fixture(scope="module")
def reading_s() -> float:
    """How long one of the bodies takes to read here and now, without a rest."""
    began_s = time.process_time()
    check_json(FEW_MESSAGES)
    return time.process_time() - began_s


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_the_loop_goes_on_while_a_long_batch_is_read(
    api: Api, body: bytes, reading_s: float
) -> None:
    """No legal body of the largest size keeps other requests waiting until it is read."""
    request = asyncio.create_task(api.post("/v1/webhooks/send-batch", body=body))
    longest_s = await _longest_wait_s(request)
    assert (await request).status in {202, 400}
    assert longest_s < reading_s * LONGEST_PART
