"""`sluicegate serve` as a real process: it starts, says so, refuses to start, and ends in order."""

import json
import signal
import socket
import stat
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sluicegate import __version__
from sluicegate.clock import SystemClock

if TYPE_CHECKING:
    from tests.cli.conftest import Finished, Server, StartServer

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def ask(server: "Server", path: str, body: object = None, *, key: str | None = None) -> Any:
    """Return status and answer of one request; a POST when there is a body."""
    request = urllib.request.Request(  # noqa: S310 - http on loopback
        server.url + path, data=None if body is None else json.dumps(body).encode()
    )
    request.add_header("Authorization", f"Bearer {key or server.api_key}")
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - same
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.fixture
def receiver() -> Any:
    """A receiver that accepts connections and answers when it is told to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        yield listener


def send_to(server: "Server", receiver: socket.socket) -> None:
    """Create an endpoint at the receiver and send it a message."""
    port = receiver.getsockname()[1]
    _, made = ask(server, "/v1/endpoints", {"url": f"http://127.0.0.1:{port}/hook"})
    status, _ = ask(
        server, "/v1/webhooks/send", {"endpoint_id": made["data"]["id"], "payload": {"n": 1}}
    )
    assert status == 202


def test_it_starts_answers_and_ends_with_0_on_sigterm(start_server: "StartServer") -> None:
    """From the start to an orderly end, each step is told as one JSON line."""
    server = start_server()
    assert server.started["host"] == "127.0.0.1"
    assert server.started["version"] == __version__
    assert server.started["database"].endswith("sluicegate.db")
    assert server.started["level"] == "info"
    assert server.started["timestamp"].endswith("Z")
    assert server.started["loop"] in {"asyncio", "uvloop"}
    assert ask(server, "/healthz")[0] == 200
    assert ask(server, "/readyz")[0] == 200
    assert ask(server, "/v1/endpoints")[0] == 200
    server.signal(signal.SIGTERM)
    end = server.finish()
    assert end.code == 0
    assert [json.loads(line)["event"] for line in end.err.splitlines()] == [
        "server.draining",
        "server.drained",
        "server.stopped",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_it_ends_with_0_on_other_signals(
    start_server: "StartServer", number: signal.Signals
) -> None:
    """Ctrl-C and the end of a session are polite stops too."""
    server = start_server()
    server.signal(number)
    server.wait_for("server.drained")
    assert server.finish().code == 0


def test_the_first_start_makes_a_key_and_prints_it_once(start_server: "StartServer") -> None:
    """Without a bootstrap key the first start prints one; a later start prints none."""
    server = start_server(bootstrap_api_key="")
    server.signal(signal.SIGTERM)
    line, rest = server.finish().out.split("\n", 1)
    key = line.rpartition(" ")[2]
    assert key.startswith("sg_live_")
    assert rest == ""
    server = start_server(bootstrap_api_key="")
    assert ask(server, "/v1/endpoints", key=key)[0] == 200
    server.signal(signal.SIGTERM)
    assert server.finish().out == ""


def test_a_bootstrap_key_is_taken_and_never_printed(start_server: "StartServer") -> None:
    """The operator knows the key already."""
    server = start_server()
    assert ask(server, "/v1/endpoints")[0] == 200
    server.signal(signal.SIGTERM)
    end = server.finish()
    assert end.out == ""
    assert server.api_key not in end.err


def test_the_key_file_is_for_its_owner_only(start_server: "StartServer", tmp_path: Path) -> None:
    """The generated secret key is beside the database, mode 600."""
    start_server()
    mode = (tmp_path / "sluicegate.db.key").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_dev_is_said_in_the_log(start_server: "StartServer") -> None:
    """`--dev` is warned of at the start; without it there is no warning."""
    assert [each["event"] for each in start_server("--dev").log if each["level"] == "warning"] == [
        "server.dev_enabled"
    ]


def test_an_unknown_variable_is_warned_of_in_the_log(start_server: "StartServer") -> None:
    """A typing error in the environment is told, and does not stop the start."""
    (warning,) = (each for each in start_server(wimdow="1").log if each["level"] == "warning")
    assert warning["event"] == "setting.unknown"
    assert "SLUICEGATE_WINDOW" in warning["detail"]


def test_while_it_drains_it_is_not_ready_and_an_attempt_in_flight_may_end(
    start_server: "StartServer", receiver: socket.socket
) -> None:
    """SIGTERM: `/readyz` fails, sends are refused with 503, what is in flight gets its time."""
    server = start_server("--dev")
    send_to(server, receiver)
    attempt, _ = receiver.accept()
    with attempt:
        server.signal(signal.SIGTERM)
        server.wait_for("server.draining")
        assert ask(server, "/readyz")[0] == 503
        assert ask(server, "/v1/webhooks/send", {})[0] == 503
        attempt.sendall(ANSWER)
    assert server.wait_for("server.drained")["everything_ended"] is True
    assert server.finish().code == 0


def test_a_second_signal_ends_it_at_once(
    start_server: "StartServer", receiver: socket.socket
) -> None:
    """The second signal does not wait for what is in flight; the exit code is 1."""
    server = start_server("--dev", drain_s="600")
    send_to(server, receiver)
    attempt, _ = receiver.accept()
    with attempt:
        server.signal(signal.SIGTERM)
        server.wait_for("server.draining")
        server.signal(signal.SIGTERM)
        assert server.wait_for("server.cut_off")["level"] == "warning"
        assert server.finish().code == 1


def test_when_the_drain_is_over_it_ends_all_the_same(
    start_server: "StartServer", receiver: socket.socket
) -> None:
    """After `drain_s` an attempt in flight is cut; its message stays and the exit code is 0."""
    server = start_server("--dev", drain_s="0.1")
    send_to(server, receiver)
    attempt, _ = receiver.accept()
    with attempt:
        server.signal(signal.SIGTERM)
        assert server.wait_for("server.drained")["everything_ended"] is False
        assert server.finish().code == 0


def test_a_drain_that_timed_out_is_not_run_again(
    start_server: "StartServer", receiver: socket.socket
) -> None:
    """Once `drain_s` is over, closing takes next to nothing: well under another `drain_s`."""
    server = start_server("--dev", drain_s="8")
    send_to(server, receiver)
    attempt, _ = receiver.accept()
    with attempt:
        server.signal(signal.SIGTERM)
        server.wait_for("server.drained")
        drained_s = SystemClock().monotonic_s()
        assert server.finish().code == 0
        assert SystemClock().monotonic_s() - drained_s < 7


def test_a_second_signal_ends_the_closing_of_connections_at_once(
    start_server: "StartServer",
) -> None:
    """After the drain a half-sent request gets 5 s; the second signal takes them away."""
    server = start_server()
    address = ("127.0.0.1", server.started["port"])
    with socket.create_connection(address, timeout=10) as half_sent:
        half_sent.sendall(
            b"POST /v1/webhooks/send HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            b"Authorization: Bearer " + server.api_key.encode() + b"\r\n"
            b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
        )
        assert half_sent.recv(1000).startswith(b"HTTP/1.1 100 ")  # it waits for the body
        server.signal(signal.SIGTERM)
        server.wait_for("server.drained")
        drained_s = SystemClock().monotonic_s()
        server.signal(signal.SIGTERM)
        end = server.finish()
        assert SystemClock().monotonic_s() - drained_s < 4.8
    assert end.code == 1
    assert "server.cut_off" in end.err


def assert_refused(end: "Finished", *words: str) -> None:
    """Hold a refused start to exit code 2 and one line, without a traceback."""
    assert end.code == 2
    assert end.out == ""
    assert len(end.err.splitlines()) == 1, end.err
    assert end.err.startswith("sluicegate: ")
    for word in words:
        assert word in end.err


def test_a_second_server_on_the_same_database_is_refused(
    start_server: "StartServer", run_command: Callable[..., "Finished"]
) -> None:
    """One process owns a database; the other one says so and ends."""
    server = start_server()
    database = server.started["database"]
    assert_refused(run_command("serve", "--port", "0", "--database", database), "another process")
    assert ask(server, "/healthz")[0] == 200


def test_a_port_in_use_is_refused(
    run_command: Callable[..., "Finished"], receiver: socket.socket
) -> None:
    """The line names the port, and nothing was made on disk."""
    port = str(receiver.getsockname()[1])
    assert_refused(run_command("serve", "--port", port), f"port: value {port} ", "in use")


@pytest.mark.parametrize(
    ("arguments", "settings", "words"),
    [
        (["--port", "70000"], {}, ["port: value 70000 ", "0 to 65535", "--port"]),
        ([], {"retry_jitter": "2"}, ["retry_jitter: value 2 ", "SLUICEGATE_RETRY_JITTER"]),
        ([], {"bootstrap_api_key": "short"}, ["bootstrap_api_key: value *** ", "24 to 255"]),
        (["--host", "192.0.2.1"], {"port": "0"}, ["host: value '192.0.2.1' "]),
        (["--config", "nowhere.toml"], {}, ["config: value nowhere.toml "]),
        (["--database", "nowhere/x.db"], {}, ["database: value nowhere/x.db "]),
    ],
)
def test_a_bad_setting_stops_the_start(
    run_command: Callable[..., "Finished"],
    arguments: list[str],
    settings: dict[str, str],
    words: list[str],
) -> None:
    """One line that names setting, value and what is allowed; exit code 2."""
    assert_refused(run_command("serve", *arguments, **settings), *words)


def test_a_file_that_is_no_database_is_refused(
    run_command: Callable[..., "Finished"], tmp_path: Path
) -> None:
    """What SQLite cannot read is told in one line and left as it is."""
    file = tmp_path / "letter.db"
    file.write_text("Dear Sir or Madam,\n" * 100, encoding="utf-8")
    end = run_command("serve", "--port", "0", "--database", str(file), secret_key="A" * 43 + "=")
    assert_refused(end, "letter.db")
    assert file.read_text(encoding="utf-8").startswith("Dear Sir")


def test_the_version_is_told(run_command: Callable[..., "Finished"]) -> None:
    """`--version` prints name and version."""
    assert run_command("--version").out == f"sluicegate {__version__}\n"
