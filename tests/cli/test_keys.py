"""`sluicegate keys`: creates, lists and deletes through the server's API."""

import json
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Finished, StartServer

Keys = Callable[..., "Finished"]


@pytest.fixture
def keys(start_server: "StartServer", run_command: Callable[..., "Finished"]) -> Keys:
    """Run `sluicegate keys` against a running server."""
    server = start_server()

    def run(*arguments: str, api_key: str = server.api_key) -> "Finished":
        return run_command("keys", *arguments, url=server.url, api_key=api_key)

    return run


def test_a_key_is_created_used_listed_and_deleted(keys: Keys) -> None:
    """The new key works, is listed without itself, and no longer works once deleted."""
    made = keys("create", "--label", "shop [red]", "--mode", "test")
    assert made.code == 0
    key = made.out.strip()
    assert key.startswith("sg_test_")
    listed = keys("list", api_key=key)
    assert "shop [red]" in listed.out
    assert key not in listed.out
    (entry,) = (
        each for each in json.loads(keys("list", "--json").out) if each["label"] == "shop [red]"
    )
    assert key.startswith(entry["prefix"])
    assert keys("delete", entry["key_id"]).code == 0
    refused = keys("list", api_key=key)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "sluicegate: UNAUTHORIZED: Invalid or missing API key\n"


def test_a_created_key_is_told_as_json_on_request(keys: Keys) -> None:
    """`--json` prints what the API answers."""
    made = json.loads(keys("create", "--json").out)
    assert made["key"].startswith("sg_live_")
    assert made["key_id"].startswith("key_")


def test_the_last_key_is_not_deleted(keys: Keys) -> None:
    """The server's refusal is told in one line, with its code."""
    (only,) = json.loads(keys("list", "--json").out)
    refused = keys("delete", only["key_id"])
    assert refused.code == 1
    assert refused.err.startswith("sluicegate: CANNOT_DELETE_LAST_KEY: ")


def test_a_server_that_is_not_there_is_told_in_one_line(
    start_server: "StartServer", run_command: Callable[..., "Finished"]
) -> None:
    """No traceback, the URL, and exit code 1."""
    server = start_server()
    server.signal(signal.SIGTERM)
    server.finish()
    refused = run_command("keys", "list", url=server.url, api_key=server.api_key)
    assert refused.code == 1
    assert refused.err.startswith(f"sluicegate: cannot reach {server.url}: ")
    assert len(refused.err.splitlines()) == 1


def test_without_a_key_the_command_says_how_to_give_one(
    run_command: Callable[..., "Finished"],
) -> None:
    """A missing key is a mistake in using the command: exit code 2."""
    refused = run_command("keys", "list")
    assert refused.code == 2
    assert "SLUICEGATE_API_KEY" in refused.err


def test_a_list_is_never_cut_and_never_commands_a_terminal(keys: Keys) -> None:
    """Ids are whole however long the labels are; control characters are shown as escapes."""
    label = "\x1b[2J\x9b\u202e" + "long " * 30
    made = json.loads(keys("create", "--label", label, "--json").out)
    listed = keys("list")
    assert made["key_id"] in listed.out
    assert "\\x1b[2J\\x9b\\u202elong long" in listed.out
    assert not {"\x1b", "\x9b", "\u202e"} & set(listed.out)
    assert len(listed.out.splitlines()) == 3
