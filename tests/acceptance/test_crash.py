"""What was acknowledged survives `kill -9`; what was paused stays paused."""

import asyncio
from pathlib import Path

import aiohttp
from aiohttp import web

from .harness import WAIT_S, Receiver, ServerProcess, api, until


async def test_every_acknowledged_message_arrives_after_kill_9_during_load(
    server: ServerProcess, receiver: Receiver
) -> None:
    """Killed three times while 20 producers send; a paused endpoint gets nothing, ever."""
    acknowledged: list[str] = []
    held: list[str] = []
    async with api(server) as session:
        async with session.post("/v1/endpoints", json={"url": receiver.url("/live")}) as answer:
            live = (await answer.json())["data"]["id"]
        async with session.post("/v1/endpoints", json={"url": receiver.url("/held")}) as answer:
            paused = (await answer.json())["data"]["id"]
        async with session.post(f"/v1/endpoints/{paused}/pause") as answer:
            assert answer.status == 200

    async def produce(endpoint_id: str, accepted: list[str]) -> None:
        async with api(server) as session:
            while True:
                body = {"endpoint_id": endpoint_id, "payload": {"n": len(accepted)}}
                try:
                    async with session.post("/v1/webhooks/send", json=body) as answer:
                        if answer.status == 202:
                            accepted.append((await answer.json())["data"]["message_id"])
                except aiohttp.ClientError:
                    return

    for _ in range(3):
        before = len(acknowledged)
        producers = [asyncio.create_task(produce(live, acknowledged)) for _ in range(16)]
        producers += [asyncio.create_task(produce(paused, held)) for _ in range(4)]

        async def enough(before: int = before) -> bool:
            return len(acknowledged) >= before + 300

        await until(enough)
        await server.kill()
        await asyncio.gather(*producers)
        await server.start()

    arrived: set[str] = set()

    def all_arrived() -> bool:
        arrived.update(d.message_id for d in receiver.deliveries if d.path == "/live")
        return arrived.issuperset(acknowledged)

    await receiver.wait_for(all_arrived)
    assert len(acknowledged) >= 900
    assert held
    assert [d for d in receiver.deliveries if d.path == "/held"] == []
    async with api(server) as session:
        async with session.post(f"/v1/endpoints/{paused}/pause") as answer:
            assert answer.status == 409
        async with session.post(f"/v1/endpoints/{paused}/resume") as answer:
            assert (await answer.json())["data"]["messages_requeued"] >= len(held)
    await receiver.wait_for(
        lambda: {d.message_id for d in receiver.deliveries if d.path == "/held"} >= set(held)
    )


async def test_sigterm_lets_attempts_in_flight_end_and_keeps_the_rest(
    server: ServerProcess, receiver: Receiver
) -> None:
    """The attempt that is answered during the drain counts; nothing is sent twice."""
    answer_now = asyncio.Event()

    async def answer_the_first(_request: web.Request, body: bytes) -> web.StreamResponse:
        if body != b"0":
            await answer_now.wait()
        return web.Response()

    receiver.handler = answer_the_first  # else it would get one attempt at a time
    async with api(server) as session:
        body: dict[str, object] = {"url": receiver.url(), "max_in_flight": 2}
        async with session.post("/v1/endpoints", json=body) as answer:
            endpoint_id = (await answer.json())["data"]["id"]
        sent = []
        for n in range(6):
            body = {"endpoint_id": endpoint_id, "payload": n}
            async with session.post("/v1/webhooks/send", json=body) as answer:
                sent.append((await answer.json())["data"]["message_id"])
    await receiver.wait_for_count(3)
    ending = asyncio.create_task(server.terminate())
    await server.logged("server.draining")
    answer_now.set()
    assert await ending == 0
    # Two at once: they start in order, and may arrive in any.
    assert sorted(d.message_id for d in receiver.deliveries) == sorted(sent[:3])
    await server.start()
    await receiver.wait_for_count(6)
    assert sorted(d.message_id for d in receiver.deliveries) == sorted(sent)


async def test_a_second_process_on_the_same_file_is_refused(
    server: ServerProcess, tmp_path: Path
) -> None:
    """One process owns the file; the other says so in one line and ends."""
    second = ServerProcess(tmp_path)
    async with asyncio.timeout(WAIT_S):
        try:
            await second.start()
        except AssertionError:
            pass
        else:
            await second.kill()
            msg = "a second process was let in"
            raise AssertionError(msg)
    lines = [event.get("text", "") for event in second.log]
    assert any("another process" in line for line in lines), second.log
    assert server.running
