"""Django with an outbox, django-jaiminho: what a Django project would pick without a broker.

Of the outbox packages that are kept up, this is the one that delivers by any function; the others
speak to one broker. Its other strategy, `keep-order`, with the relay command in a loop, cost 6.5 ms
of CPU a message where this one cost 5.1 ms, both on SQLite. PostgreSQL with eight connections cost
5.6 to 5.7 ms where SQLite cost 4.8 ms; beside other programs that kept the disk busy it delivered
more (159 to 174 messages a second, against 94 to 100), since its commits share a sync.
"""

import contextlib
import sqlite3
from collections.abc import Iterator

from peers.peer import Kind, Peer
from peers.programs import Place, Programs
from peers.stock import HERE
from peers.wsgi import serve

__all__ = ["KINDS"]

_NAME = "Django, outbox (django-jaiminho), requests"
_PROGRAMS = HERE / "outbox_programs"
_THREADS = 4


@contextlib.contextmanager
def _opened(place: Place) -> Iterator[Peer]:
    """Make the database, and run a front."""
    database = place.folder / "outbox.db"
    settings = {
        "DATABASE": str(database),
        "DJANGO_SETTINGS_MODULE": "outbox_settings",
        "SINK_URL": place.sink_url,
        "PYTHONPATH": str(_PROGRAMS),
    }
    with Programs.of(place) as programs:
        programs.run("migrate", place.stock.python(), "-m", "django", "migrate", settings=settings)
        port = serve(place, programs, "front:application", threads=_THREADS, settings=settings)
        with contextlib.closing(sqlite3.connect(database)) as db:
            yield Peer(programs.cpu(), name=_NAME, port=port, left=lambda: _events(db))


def _events(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM jaiminho_event").fetchone()[0])


KINDS = (
    Kind(
        _NAME,
        packages=("django", "django-jaiminho", "requests", "granian"),
        accepts=(
            "a Django view (Granian) stores the event in SQLite (WAL, synchronous=FULL) and "
            "commits; with the strategy `publish-on-commit` it answers after the delivery"
        ),
        delivers=(
            f"the view itself, after the commit, {_THREADS} at once, with one requests session "
            "that keeps connections; then the event is deleted. The relay command, which a cron "
            "job runs for what failed, had nothing to do"
        ),
        opened=_opened,
    ),
)
