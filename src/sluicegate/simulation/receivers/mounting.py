"""Which application a receiver is given, made anew at each of its starts."""

from collections.abc import Callable, Iterable

from sluicegate.simulation.receivers.aiohttp_app import AiohttpApplication
from sluicegate.simulation.receivers.application import (
    Application,
    Script,
    ScriptedApplication,
    factory_of,
    scripted,
)
from sluicegate.simulation.receivers.asgi import AsgiApplication
from sluicegate.simulation.receivers.exchange import Answer
from sluicegate.simulation.receivers.host import ReceiverHost
from sluicegate.simulation.receivers.wsgi import WsgiApplication

__all__ = ["mounted"]


def mounted(
    *,
    responses: "Script | Iterable[int | Answer] | int | Answer | None",
    asgi: object = None,
    wsgi: object = None,
    aiohttp_app: object = None,
    prepare: Callable[[], None],
) -> Callable[[ReceiverHost], Application]:
    """Return what makes the application of a host; without any, it answers 200.

    Args:
        responses: for a script.
        asgi: an application or what makes one; so are the following.
        wsgi: the same.
        aiohttp_app: the same.
        prepare: called when an ASGI application was made, before its startup.

    Raises:
        TypeError: something is no application of its kind, nor a function that makes one.
        ValueError: more than one is given, or `responses` is empty.
    """
    if sum(each is not None for each in (responses, asgi, wsgi, aiohttp_app)) > 1:
        raise ValueError("give one of `responses`, `asgi`, `wsgi` and `aiohttp_app`")
    if asgi is not None:
        make = factory_of(asgi, takes=3, what="asgi: an ASGI 3 application")
        return lambda host: AsgiApplication(make(), host.failed, prepare)
    if wsgi is not None:
        make = factory_of(wsgi, takes=2, what="wsgi: a WSGI application")
        return lambda _: WsgiApplication(make())
    if aiohttp_app is not None:
        make = factory_of(aiohttp_app, takes=0, what="aiohttp_app: an `aiohttp.web.Application`")
        return lambda _: AiohttpApplication(make())
    script = scripted(200 if responses is None else responses)
    return lambda _: ScriptedApplication(script)
