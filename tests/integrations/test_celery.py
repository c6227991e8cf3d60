"""Celery, itself: a worker of two processes, whose tasks enqueue for the one that delivers."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from celery import Celery

from sluicegate import Settings, SyncEngine
from sluicegate.engine.errors import SettingError
from sluicegate.integrations.celery import current_engine, init_app

from .conftest import Receiver
from .documented import block

TASKS = 24
BROKER = {
    "broker_url": "filesystem://",
    "broker_transport_options": {
        "data_folder_in": "queue",
        "data_folder_out": "queue",
        "polling_interval": 0.02,
    },
    "worker_prefetch_multiplier": 1,
}
NOTES = f"""
from celery import signals
app.conf.update({BROKER})
@signals.task_prerun.connect
def note(**_):
    with open("processes", "a") as file:
        file.write(f"{{os.getpid()}}\\n")
"""
WORKER = ("--pool", "prefork", "--concurrency", "2", "--loglevel", "WARNING", "--without-mingle")


def test_the_tasks_of_two_processes_are_delivered_once(
    tmp_path: Path, settings: Settings, receiver: Receiver, endpoint_id: str
) -> None:
    """Also what a task sends that runs twice; the worker ends when it is told to."""
    code = block("docs/embedding.md", "Celery")
    (tmp_path / "shop.py").write_text(code + NOTES, encoding="utf-8")
    (tmp_path / "queue").mkdir()
    with SyncEngine(settings) as owner, Celery("shop", set_as_current=False) as producer:
        producer.conf.update(BROKER)
        for order in range(TASKS):
            producer.send_task("shop.announce", (order,))
        for _ in range(2):
            producer.send_task("shop.announce", (TASKS,), task_id="twice")
        worker = subprocess.Popen(  # noqa: S603 - our own interpreter, Celery's own worker
            [sys.executable, "-m", "celery", "-A", "shop", "worker", *WORKER], cwd=tmp_path
        )
        try:
            bodies = [json.loads(receiver.next_body()) for _ in range(TASKS + 1)]
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0
        finally:
            worker.kill()
            worker.wait()
        assert sorted(body["order"] for body in bodies) == [*range(TASKS + 1)]
        assert len(owner.list_logs(endpoint_id=endpoint_id).items) == TASKS + 1
    processes = (tmp_path / "processes").read_text(encoding="utf-8").split()
    assert len(processes) == TASKS + 2
    assert len(set(processes) - {str(worker.pid)}) == 2
    assert receiver.bodies.empty()


def test_an_application_has_one_engine(settings: Settings) -> None:
    """Without one, and with a second, it says what to do."""
    with Celery("shop", set_as_current=True) as app:
        with pytest.raises(RuntimeError, match=r"call `init_app\(app, Settings"):
            current_engine()
        engine = init_app(app, settings)
        assert current_engine() is engine
        with pytest.raises(RuntimeError, match="once"):
            init_app(app, settings)
    with Celery("other", set_as_current=False) as app, pytest.raises(SettingError, match="mode"):
        init_app(app, settings, mode="both")  # type: ignore[arg-type]  # what is refused
