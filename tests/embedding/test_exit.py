"""A program that ends is never kept by an engine that it did not close."""

import threading
from pathlib import Path

from tests.embedding.conftest import Receiver
from tests.embedding.programs import run_program

from sluicegate import Settings, SyncEngine
from sluicegate.engine.lifecycle import MessageStatus


def test_a_program_that_just_ends_closes_its_engine(settings: Settings, receiver: Receiver) -> None:
    """Cleanly: the attempt in flight ends and is recorded, and the file is as after `close`."""
    receiver.answers.clear()
    database = Path(settings.database)
    asked = database.with_name("asked")

    def tell() -> None:
        receiver.bodies.get()
        asked.touch()

    threading.Thread(target=tell, daemon=True).start()
    done = run_program(
        """
        engine = SyncEngine(settings())
        message_id = engine.send(engine.create_endpoint(sys.argv[2]).id, 1).message_id
        while not os.path.exists(sys.argv[3]):  # one that only connects is called back at the end
            threading.Event().wait(0.01)
        print(message_id)
        """,
        database,
        receiver.url,
        str(asked),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not database.with_name("engine.db-wal").exists(), "it was closed, not cut"
    with SyncEngine(settings) as engine:
        assert engine.get_message(done.stdout.strip()).status is MessageStatus.SUCCEEDED


def test_a_program_that_fails_says_why_and_ends(tmp_path: Path) -> None:
    """With its own exit code."""
    done = run_program(
        """
        engine = SyncEngine(settings())
        engine.list_endpoints()
        raise LookupError("of the program's own")
        """,
        tmp_path / "engine.db",
    )
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("LookupError: of the program's own")


def test_threads_that_outlive_the_main_one_go_on_sending(tmp_path: Path) -> None:
    """The engine is closed after the last of them, not when the main thread ends."""
    done = run_program(
        """
        engine = SyncEngine(settings())
        endpoint_id = engine.create_endpoint("http://127.0.0.1:9/hook").id
        engine.pause(endpoint_id)

        def send_when_main_is_over():
            threading.main_thread().join()
            for number in range(20):
                engine.send(endpoint_id, number)
            print(len(engine.list_logs().items))

        threading.Thread(target=send_when_main_is_over).start()
        """,
        tmp_path / "engine.db",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "20\n", "")


def test_an_engine_that_was_closed_is_forgotten(tmp_path: Path) -> None:
    """Nothing of it is kept until the program ends."""
    done = run_program(
        """
        import gc, weakref
        engine = SyncEngine(settings())
        engine.list_endpoints()
        engine.close()
        there = weakref.ref(engine)
        del engine
        gc.collect()
        print(there())
        """,
        tmp_path / "engine.db",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "None\n", "")
