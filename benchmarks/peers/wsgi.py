"""The server of the Python peers' fronts: Granian, the fastest of those that were tried."""

from collections.abc import Mapping

from peers.programs import Place, Programs, free_port

__all__ = ["serve"]


def serve(
    place: Place,
    programs: Programs,
    application: str,
    *,
    threads: int,
    settings: Mapping[str, str],
) -> int:
    """Start it, and return its port.

    Args:
        place: where.
        programs: what it ends with.
        application: module and name, with a colon between.
        threads: how many requests are answered at once.
        settings: added to its environment.
    """
    port = free_port()
    options = {
        "interface": "wsgi",
        "host": "127.0.0.1",
        "port": str(port),
        "http": "1",
        "blocking-threads": str(threads),
        "log-level": "warning",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    command = (str(place.stock.python()), "-m", "granian", "--no-ws", *arguments, application)
    programs.start("front", *command, settings=settings)
    programs.await_port("front", port)
    return port
