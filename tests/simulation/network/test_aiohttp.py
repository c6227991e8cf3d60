"""aiohttp's own client and server on the simulated network, as users have them."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from sluicegate.simulation import Faults, Simulation
from sluicegate.simulation.lives import Life


def serve(simulation: Simulation, name: str, port: int = 80) -> Life:
    """Let a host of this name answer with its name."""
    life = Life(name)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"{name} {len(await request.read())}")

    async def start() -> None:
        app = web.Application()
        app.router.add_post("/", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - of no real machine

    simulation.loop.run(start(), life=life)
    return life


@pytest.mark.parametrize("plain", [False, True], ids=["client_session", "ClientSession"])
def test_client_reaches_a_server_from_outside_and_from_a_host(plain: bool) -> None:  # noqa: FBT001 - a parameter
    """`network.client_session()` is the way; code that makes its own session works as well."""
    with Simulation(1) as simulation:
        serve(simulation, "shop.example")
        caller = Life("caller.example")

        async def call() -> list[str]:
            session = aiohttp.ClientSession() if plain else simulation.network.client_session()
            async with session:
                answers = []
                for size in (0, 10, 300_000):
                    async with session.post("http://shop.example/", data=b"x" * size) as response:
                        answers.append(await response.text())
                return answers

        wanted = ["shop.example 0", "shop.example 10", "shop.example 300000"]
        assert simulation.run(call()) == wanted
        assert simulation.loop.run(call(), life=caller) == wanted
        made = [line.split()[-2:] for line in simulation.trace.tail() if "connection.made" in line]
        assert made == [["outside", "shop.example"], ["caller.example", "shop.example"]]


def test_tls_is_a_flag_whose_handshake_may_fail() -> None:
    """No byte is encrypted, and a bad certificate is a bad certificate."""
    with Simulation(1) as simulation:
        serve(simulation, "shop.example", 443)

        async def call() -> int:
            async with (
                simulation.network.client_session() as session,
                session.post("https://shop.example/") as response,
            ):
                return response.status

        assert simulation.run(call()) == 200
        simulation.set_faults(Faults(tls_failure=1))
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            simulation.run(call())


def test_name_with_several_addresses_leads_to_the_first_that_answers() -> None:
    """A host that is down costs a try, and a name may lead elsewhere later."""
    with Simulation(1) as simulation:
        first, _ = serve(simulation, "a.example"), serve(simulation, "b.example")
        simulation.network.publish("shop.example", ["a.example", "b.example"])

        async def call() -> str:
            async with (
                simulation.network.client_session() as session,
                session.post("http://shop.example/") as response,
            ):
                return await response.text()

        assert simulation.run(call()) == "a.example 0"
        simulation.loop.crash(first)
        assert simulation.run(call()) == "b.example 0"
        simulation.network.publish("shop.example", ["a.example"])
        with pytest.raises(aiohttp.ClientConnectorError):
            simulation.run(call())
        simulation.network.publish("shop.example", [])
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            simulation.run(call())


def test_idle_connections_of_a_pool_age_by_the_virtual_clock() -> None:
    """A session drops what was idle for 15 seconds: in a simulation by its own time."""
    with Simulation(1) as simulation:
        serve(simulation, "shop.example")

        async def call() -> None:
            async with simulation.network.client_session() as session:
                for pause_s in (1, 100):
                    async with session.post("http://shop.example/") as response:
                        await response.read()
                    await asyncio.sleep(pause_s)
                async with session.post("http://shop.example/") as response:
                    await response.read()

        simulation.run(call())
        assert sum("connection.made" in line for line in simulation.trace.tail()) == 2
