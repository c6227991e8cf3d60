"""Long bodies hold nobody up but their own senders."""

import asyncio

import pytest

from .harness import Answer, Api

LONGEST_S = 1.0
"""Several times what is seen; read on the loop these bodies take longer."""
ITEM = b'{"endpoint_id":"ep_x","payload":[' + b"[]," * 340_000 + b"1]}"
BODIES = {
    "many arrays": b'{"messages":[' + b"[]," * 5_250_000 + b"1]}",
    "many arrays in few messages": b'{"messages":[' + b",".join([ITEM] * 15) + b"]}",
    "many arrays and one bad message": b'{"messages":[' + b",".join([*[ITEM] * 15, b"1"]) + b"]}",
    "many strings": b'{"messages":[{"endpoint_id":"ep_x","payload":['
    + b'"",' * 5_250_000
    + b"1]}]}",
    "many objects beside": b'{"x":[' + b"{}," * 5_250_000 + b'1],"messages":[]}',
}


async def _longest_wait_s(request: "asyncio.Task[Answer]") -> float:
    """Return the longest time that the loop kept a callback waiting until `request` was done."""
    loop = asyncio.get_running_loop()
    longest_s, before_s = 0.0, loop.time()
    while not request.done():
        await asyncio.sleep(0)
        now_s = loop.time()
        longest_s, before_s = max(longest_s, now_s - before_s), now_s
    return longest_s


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_the_loop_goes_on_while_a_long_batch_is_read(api: Api, body: bytes) -> None:
    """No legal body of the largest size keeps other requests waiting for seconds."""
    request = asyncio.create_task(api.post("/v1/webhooks/send-batch", body=body))
    longest_s = await _longest_wait_s(request)
    assert (await request).status in {202, 400}
    assert longest_s < LONGEST_S
