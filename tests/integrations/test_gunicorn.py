"""gunicorn, itself: two workers that enqueue, one owner that delivers, over a reload and a kill."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest

from sluicegate import Settings, SyncEngine

from .conftest import Receiver

APP = """
import os
from flask import Flask, request
from sluicegate import Settings
from sluicegate.integrations.flask import init_app

app = Flask("shop")
engine = init_app(app, Settings(database="webhooks.db", dev=True), mode="enqueue")


@app.post("/orders/<int:order>")
def post(order):
    engine.send(os.environ["ENDPOINT"], {"order": order})
    return str(os.getpid())
"""
SHOPPERS = 3
SOON_S = 30.0


class Shoppers:
    """Threads that order one thing after another, until they are told to stop."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stopping = False
        self._answering: Queue[int] = Queue()
        self.taken: set[int] = set()
        """What was answered with 200."""
        self.unsure: list[int] = []
        """What was answered with anything else, or not at all."""
        self._threads = [Thread(target=self._order, args=(n,)) for n in range(SHOPPERS)]
        for thread in self._threads:
            thread.start()

    def _order(self, number: int) -> None:
        while not self._stopping:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SOON_S)
            try:
                connection.request("POST", f"/orders/{number}")
                answer = connection.getresponse()
                assert answer.status == 200
                self.taken.add(number)
                self._answering.put(int(answer.read()))
            except (AssertionError, OSError, http.client.HTTPException):
                self.unsure.append(number)
            finally:
                connection.close()
            number += SHOPPERS

    def wait_for_workers(self, count: int, *, without: set[int]) -> set[int]:
        """Wait until so many others than some have answered from now on; return them."""
        found: set[int] = set()
        while not self._answering.empty():
            self._answering.get()
        while len(found) < count:
            found |= {self._answering.get(timeout=SOON_S)} - without
        return found

    def stop(self) -> None:
        """Let them end what they do."""
        self._stopping = True
        for thread in self._threads:
            thread.join()


@contextmanager
def gunicorn(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run gunicorn with two workers; it and its port."""
    (folder / "shop.py").write_text(APP, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--workers", "2", "-b", "127.0.0.1:0", "shop:app"],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        told = ""
        while not (found := re.search(r"Listening at: http://127.0.0.1:(\d+)", told)):
            told = process.stderr.readline()
            assert told, "gunicorn has ended"
        yield process, int(found[1])
        process.terminate()
        assert process.wait(SOON_S) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.usefixtures("endpoint_id")
def test_two_workers_lose_nothing_over_a_reload_and_a_kill(
    tmp_path: Path, settings: Settings, receiver: Receiver
) -> None:
    """What was answered with 200 is delivered once; what was cut off, once or not at all."""
    with SyncEngine(settings), gunicorn(tmp_path) as (process, port):
        shoppers = Shoppers(port)
        try:
            first = shoppers.wait_for_workers(2, without=set())
            process.send_signal(signal.SIGHUP)
            second = shoppers.wait_for_workers(2, without=first)
            os.kill(min(second), signal.SIGKILL)
            shoppers.wait_for_workers(1, without=first | second)
        finally:
            shoppers.stop()
        delivered: set[int] = set()
        while not delivered >= shoppers.taken:
            order = json.loads(receiver.next_body())["order"]
            assert order not in delivered
            delivered.add(order)
    left = [json.loads(body)["order"] for body in receiver.bodies.queue]
    assert not delivered & set(left)
    assert len(left) == len(set(left))
    assert delivered | set(left) <= shoppers.taken | set(shoppers.unsure)
    assert len(shoppers.unsure) <= 1, "a worker has one request at a time"
