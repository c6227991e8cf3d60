"""Sluicegate as its users run it: a server process, spoken to over HTTP."""

import contextlib
import json
import select
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped] # comes without types
from ledger import Ledger
from wire import content_length
from workers import BenchmarkError, Cpu, ended, environment, spawned

__all__ = ["API_KEY", "DATABASE", "Api", "Server", "serving"]

API_KEY = "sg_test_" + "benchmark" * 4
DATABASE = "sluicegate.db"
_START_S = 60.0
_ANSWER_S = 30.0
_STOP_S = 40.0


class Api:
    """A blocking client on one keep-alive connection: a request is one write, no more."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = self._connected()

    def _connected(self) -> socket.socket:
        connected = socket.create_connection(("127.0.0.1", self._port), timeout=_ANSWER_S)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Send a request and return the `data` of its answer.

        Raises:
            BenchmarkError: the answer is not 2xx.
        """
        content = b"" if body is None else json.dumps(body).encode()
        status, answer = self._exchange(self._request(method, path, content))
        if not 200 <= status < 300:  # noqa: PLR2004 - success, RFC 9110 §15.3
            raise BenchmarkError(f"{method} {path} was answered {status}: {answer[:300].decode()}")
        return json.loads(answer)["data"]

    def send_batch(self, sends: list[bytes]) -> list[dict[str, object]]:
        """Send messages, each as its JSON text, in one request; return what became of each.

        Raises:
            BenchmarkError: the batch was refused.
        """
        content = b'{"messages":[' + b",".join(sends) + b"]}"
        path = "/v1/webhooks/send-batch"
        status, answer = self._exchange(self._request("POST", path, content))
        if status != 202:  # noqa: PLR2004 - Accepted, RFC 9110 §15.3.3
            raise BenchmarkError(f"a batch was answered {status}: {answer[:300].decode()}")
        slots: list[dict[str, object]] = json.loads(answer)["data"]
        return slots

    def timed_ms(self, method: str, path: str) -> float:
        """Return how long a request without body took to be answered 200.

        Raises:
            BenchmarkError: it was answered with something else.
        """
        request = self._request(method, path, b"")
        started_ns = time.perf_counter_ns()
        status, answer = self._exchange(request)
        took_ns = time.perf_counter_ns() - started_ns
        if status != 200:  # noqa: PLR2004 - OK, RFC 9110 §15.3.1
            raise BenchmarkError(f"{method} {path} was answered {status}: {answer[:300].decode()}")
        return took_ns / 1e6

    def _request(self, method: str, path: str, content: bytes) -> bytes:
        """Return a request for a connection that the server has not closed while it was idle."""
        if select.select([self._socket], [], [], 0)[0]:
            self._socket.close()
            self._socket = self._connected()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"Authorization: Bearer {API_KEY}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    def _exchange(self, request: bytes) -> tuple[int, bytes]:
        self._socket.sendall(request)
        answer = b""
        while (split := answer.find(b"\r\n\r\n")) < 0 or len(answer) < split + 4 + content_length(
            answer[:split]
        ):
            data = self._socket.recv(1 << 16)
            if not data:
                raise BenchmarkError("the server closed the connection")
            answer += data
        return int(answer[9:12]), answer[split + 4 :]


class Server:
    """A running server, its client and what is known of its process."""

    def __init__(
        self, process: subprocess.Popen[bytes], port: int, database: Path, core: int | None
    ) -> None:
        started_s = time.monotonic()
        self.port = port
        self.process = psutil.Process(process.pid)
        self.ledger = Ledger(database)
        self.stored_ids: list[str] = []
        """The endpoints that were in the database before the start."""
        self.cpu = Cpu(process.pid, core=core)
        self.api = _connected(process, port)
        self.api.timed_ms("GET", "/readyz")
        self.ready_s = time.monotonic() - started_s
        """How long it took from the start of the process until it said that it is ready."""
        self._process = process

    def create_endpoint(self, url: str, **config: object) -> str:
        """Create an endpoint and return its id."""
        created = self.api.call("POST", "/v1/endpoints", {"url": url, **config})
        return str(created["id"])

    @property
    def resident_bytes(self) -> int:
        """How much of its memory is resident."""
        return int(self.process.memory_info().rss)

    def stop(self) -> dict[str, int]:
        """End it in order, then return how many messages of each status its file holds.

        Raises:
            BenchmarkError: it did not end, or with another code than 0.
        """
        self.api.close()
        self.ledger.close()
        self._process.terminate()
        ended(self._process, "the server", timeout_s=_STOP_S)
        return self.ledger.statuses()


@contextlib.contextmanager
def serving(folder: Path, *, core: int | None, settings: Mapping[str, object]) -> Iterator[Server]:
    """Run `sluicegate serve --dev` on the database in `folder`, or on a new one.

    Args:
        folder: of the database, `DATABASE`, and of the log.
        core: where it runs.
        settings: those that are not the defaults.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = folder / DATABASE
    log_file = folder / "server.log"
    command = ["-m", "sluicegate", "serve", "--dev", "--port", str(port)]
    env = environment() | {"SLUICEGATE_BOOTSTRAP_API_KEY": API_KEY}
    env |= {f"SLUICEGATE_{name.upper()}": str(value) for name, value in settings.items()}
    with (
        log_file.open("wb") as log,
        spawned(
            [*command, "--database", str(database)], core=core, cwd=folder, env=env, log=log
        ) as process,
    ):
        try:
            yield Server(process, port, database, core)
        except (BenchmarkError, OSError) as error:
            end = log_file.read_bytes()[-2000:].decode(errors="replace")
            raise BenchmarkError(f"{error}\nend of the server's log:\n{end}") from error


def _connected(process: subprocess.Popen[bytes], port: int) -> Api:
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with contextlib.suppress(OSError):
            return Api(port)
        time.sleep(0.01)
    raise BenchmarkError("the server did not start")
