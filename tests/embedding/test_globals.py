"""An engine is a guest: what a process has once is left as the host has it."""

import json
from pathlib import Path

from tests.embedding.conftest import Receiver
from tests.embedding.programs import run_program

_PROGRAM = """
import asyncio, gc, json, logging, os, signal, sys, threading, warnings

def state():
    found = {
        "signals": [id(signal.getsignal(each)) for each in sorted(signal.valid_signals())],
        "root handlers": [str(each) for each in logging.root.handlers],
        "root level": logging.root.level,
        "our logger": [str(each) for each in logging.getLogger("sluicegate").handlers],
        "gc": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), len(gc.callbacks)],
        "hooks": [str(each) for each in (sys.excepthook, sys.unraisablehook, threading.excepthook)],
        "policy": type(asyncio.get_event_loop_policy()).__qualname__,
        "switch": sys.getswitchinterval(),
        "warnings": [str(each) for each in warnings.filters],
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "umask": os.umask(0o22),
        "recursion": sys.getrecursionlimit(),
    }
    os.umask(found["umask"])
    return json.loads(json.dumps(found))

def libraries():
    import prometheus_client, pykka, structlog
    return {
        "metrics": sorted(prometheus_client.REGISTRY._names_to_collectors),
        "actors": [str(each) for each in pykka.ActorRegistry.get_all()],
        "structlog": str(structlog.get_config()),
        "structlog set": structlog.is_configured(),
    }

seen = []

def look():
    now = {**state(), **libraries()}
    seen.append([name for name, value in before.items() if now[name] != value])

async def host():
    global before, settings, SyncEngine
    before = {**state(), **libraries()}
    from sluicegate import Engine, Settings, SyncEngine

    def settings(name=""):
        return Settings(database=sys.argv[1] + name, dev=True)

    loop = asyncio.get_running_loop()
    was = loop.get_exception_handler(), loop.get_task_factory(), loop.get_debug()
    async with Engine(settings()) as one, Engine(settings("2")) as two:
        for engine in (one, two):
            events = engine.events("message.succeeded")
            await engine.send((await engine.create_endpoint(sys.argv[2])).id, 1)
            await anext(events)
        look()
        assert was == (loop.get_exception_handler(), loop.get_task_factory(), loop.get_debug())
    look()

asyncio.run(host())
before["signals"] = state()["signals"]  # the runner's own is gone
with SyncEngine(settings()) as engine:
    engine.list_endpoints()
    look()
look()
print(json.dumps(seen))
"""


def test_what_a_process_has_once_is_left_alone(tmp_path: Path, receiver: Receiver) -> None:
    """While engines are open, two at once and a blocking one, and when they are closed.

    Signal handlers, the root logger, structlog's configuration, the default metrics registry,
    Pykka's registry of actors, the garbage collector, hooks, warnings, the loop's own settings.
    """
    done = run_program(_PROGRAM, tmp_path / "engine.db", receiver.url, beginning="")
    assert done.stderr == ""
    assert json.loads(done.stdout) == [[], [], [], []]
