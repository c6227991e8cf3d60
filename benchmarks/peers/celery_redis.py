"""Celery with Redis: what most would pick in Python.

A worker of threads does best here. Tried in turn on one core, beside other programs, a message
cost 5.8 to 6.1 ms of CPU with four, 6.2 to 6.7 ms with two prefork processes (the default), 6.1 to
6.3 ms with the solo pool and 7.7 to 7.9 ms with gevent. It has more here, for slow receivers.
"""

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Literal

from peers.peer import Kind, Peer
from peers.programs import Place, Programs
from peers.redis_server import Fsync, Redis
from peers.stock import HERE
from peers.wsgi import serve

__all__ = ["KINDS"]

_PROGRAMS = HERE / "celery_programs"
_THREADS = 16
_Client = Literal["requests", "httpx"]
# The queue, and what workers have taken but not acknowledged: kombu's names.
_LEFT = ("LLEN celery", "HLEN unacked")


@contextlib.contextmanager
def _opened(place: Place, *, name: str, fsync: Fsync, client: _Client) -> Iterator[Peer]:
    """Run Redis, a worker and a front."""
    with Programs.of(place) as programs, contextlib.closing(Redis(place, programs, fsync)) as redis:
        settings = {
            "BROKER_URL": redis.url,
            "SINK_URL": place.sink_url,
            "HTTP_CLIENT": client,
            "PYTHONPATH": str(_PROGRAMS),
        }
        python = str(place.stock.python())
        options = ["--pool", "threads", "--concurrency", str(_THREADS), "--loglevel", "WARNING"]
        lean = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        worker = (python, "-m", "celery", "-A", "deliveries", "worker", *options, *lean)
        programs.start("worker", *worker, settings=settings)
        port = serve(place, programs, "front:application", threads=_THREADS, settings=settings)
        programs.await_log("worker", "takes tasks")
        yield Peer(programs.cpu(), name=name, port=port, left=lambda: redis.count(*_LEFT))


def _kind(fsync: Fsync, client: _Client) -> Kind:
    name = f"Celery, Redis ({fsync}), {client}"
    when = "within a second after" if fsync == "everysec" else "before"
    return Kind(
        name,
        packages=("celery", "kombu", "redis", "hiredis", client, "granian", "Redis"),
        accepts=f"`deliver.delay()` in a WSGI front (Granian): `LPUSH`, synced {when} the answer",
        delivers=(
            f"a worker of {_THREADS} threads (cheaper here than prefork, solo or gevent), "
            "`acks_late`, `reject_on_worker_lost`, prefetch 64 a thread, "
            f"one {client} session that keeps connections"
        ),
        opened=partial(_opened, name=name, fsync=fsync, client=client),
    )


KINDS = (_kind("everysec", "requests"), _kind("always", "requests"), _kind("everysec", "httpx"))
