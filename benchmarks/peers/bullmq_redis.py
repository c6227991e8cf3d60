"""BullMQ with Redis and undici: what most would pick in Node.js.

Front and worker are one process, which is best on one core: tried in turn beside other programs, a
message cost 0.61 to 0.63 ms of CPU so, and 0.67 to 0.68 ms with a process for each; without
ioredis's automatic pipelines, which send what is asked for at once in one write, 0.76 to 0.77 ms.
"""

import contextlib
import shutil
from collections.abc import Iterator
from functools import partial

from peers.peer import Kind, Peer
from peers.programs import Place, Programs, free_port
from peers.redis_server import Fsync, Redis
from peers.stock import HERE

__all__ = ["KINDS"]

_PROGRAMS = HERE / "bullmq_programs"
_CONCURRENCY = 64
_REHEARSAL = 12_000
"""The first 6,000 messages cost a third more than later ones: V8 still compiles what is hot."""
_LEFT = tuple(
    f"{command} bull:deliveries:{name}"
    for command, name in (("LLEN", "wait"), ("LLEN", "active"), ("ZCARD", "delayed"))
)


@contextlib.contextmanager
def _opened(place: Place, *, name: str, fsync: Fsync) -> Iterator[Peer]:
    """Run Redis, and a front with a worker."""
    # Node.js looks for packages beside and above a program.
    (place.folder / "node_modules").symlink_to(place.stock.node_modules())
    for program in ("front.mjs", "worker.mjs"):
        shutil.copy(_PROGRAMS / program, place.folder)
    with Programs.of(place) as programs, contextlib.closing(Redis(place, programs, fsync)) as redis:
        port = free_port()
        settings = {
            "NODE_ENV": "production",
            "REDIS_PORT": str(redis.port),
            "SINK_URL": place.sink_url,
            "CONCURRENCY": str(_CONCURRENCY),
            "PORT": str(port),
        }
        command = (place.stock.node(), place.folder / "front.mjs")
        programs.start("front", *command, settings=settings)
        programs.await_port("front", port)
        yield Peer(
            programs.cpu(),
            name=name,
            port=port,
            left=lambda: redis.count(*_LEFT),
            rehearsal=_REHEARSAL,
        )


def _kind(fsync: Fsync) -> Kind:
    name = f"BullMQ, Redis ({fsync}), undici"
    when = "within a second after" if fsync == "everysec" else "before"
    return Kind(
        name,
        packages=("bullmq", "ioredis", "undici", "fastify", "Node.js", "Redis"),
        accepts=f"`queue.add()` in a Fastify front, synced {when} the answer",
        delivers=(
            f"a worker in the front's process (cheaper here than one of its own), concurrency "
            f"{_CONCURRENCY}, an undici pool of as many connections, ioredis with automatic "
            "pipelines"
        ),
        opened=partial(_opened, name=name, fsync=fsync),
    )


KINDS = (_kind("everysec"), _kind("always"))
