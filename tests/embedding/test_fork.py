"""A child of a fork has an engine of its own, or is told why not; its parent notices nothing."""

from pathlib import Path

from tests.embedding.conftest import Receiver
from tests.embedding.programs import run_program


def test_children_under_load_are_told_who_owns_the_file(tmp_path: Path, receiver: Receiver) -> None:
    """Four children of a parent that sends: each is refused, and nothing of the parent's is lost.

    Two of them end as `multiprocessing` ends them, two as any program ends.
    """
    done = run_program(
        """
        engine = SyncEngine(settings())
        endpoint_id = engine.create_endpoint(sys.argv[2]).id
        begun, enough = threading.Barrier(3), threading.Event()
        sent = []

        def send_until_enough():
            begun.wait(30)
            while not enough.is_set():
                sent.append(engine.send(endpoint_id, len(sent)).message_id)

        senders = [threading.Thread(target=send_until_enough) for _ in range(2)]
        for sender in senders:
            sender.start()
        begun.wait(30)
        parent, children = os.getpid(), []
        for number in range(4):
            children.append(os.fork())
            if not children[-1]:
                try:
                    engine.send(endpoint_id, "child")
                except StorageLockedError as error:
                    assert f"(pid {parent})" in str(error), error
                    engine.close()
                    if number % 2:
                        os._exit(7)
                    sys.exit(7)
                os._exit(1)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        seen = len(sent)
        while len(sent) < seen + 100:
            pass
        enough.set()
        for sender in senders:
            sender.join(30)
        stored = engine.get_metrics("1h").total_messages
        assert len(set(sent)) == len(sent)
        print(codes, stored == len(sent))
        """,
        tmp_path / "engine.db",
        receiver.url,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[7, 7, 7, 7] True\n", "", 0)


def test_children_under_load_enqueue_beside_their_parent(tmp_path: Path) -> None:
    """Four children of a parent that delivers and enqueues: what all of them send is there, once.

    What SQLite knew of the parent's locks when it forked must not be what a child goes by.
    """
    done = run_program(
        """
        owner, engine = SyncEngine(settings()), SyncEngine(settings(), mode="enqueue")
        accepted = owner.events("message.accepted", room=100_000)
        endpoint_id = owner.create_endpoint("http://127.0.0.1:9/hook").id
        owner.pause(endpoint_id)
        begun, enough = threading.Barrier(4), threading.Event()
        sent = []

        def send_until_enough():
            sent.append(engine.send(endpoint_id, 0).message_id)
            begun.wait(30)
            while not enough.is_set():
                sent.append(engine.send(endpoint_id, 0).message_id)

        senders = [threading.Thread(target=send_until_enough) for _ in range(3)]
        for sender in senders:
            sender.start()
        begun.wait(30)
        reading, writing = os.pipe()
        children = []
        for number in range(4):
            children.append(os.fork())
            if not children[-1]:
                try:
                    for _ in range(3):
                        message_id = engine.send(endpoint_id, number).message_id
                        os.write(writing, f"{message_id}\\n".encode())
                finally:
                    os._exit(sys.exc_info()[0] is not None)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        enough.set()
        for sender in senders:
            sender.join(30)
        os.close(writing)
        with os.fdopen(reading) as told:
            sent += told.read().split()
        found = [next(accepted).message_id for _ in sent]
        stored = owner.get_metrics("1h").total_messages
        print(codes, sorted(found) == sorted(sent), stored == len(set(sent)))
        engine.close()
        owner.close()
        """,
        tmp_path / "engine.db",
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[0, 0, 0, 0] True True\n", "", 0)


def test_an_engine_that_nobody_has_opened_works_in_a_child(tmp_path: Path) -> None:
    """Made before the fork, first used after it; then the parent is the one that is refused."""
    done = run_program(
        """
        engine = SyncEngine(settings())
        opened, ended = os.pipe(), os.pipe()
        child = os.fork()
        if not child:
            engine.list_endpoints()
            os.write(opened[1], b".")
            os.read(ended[0], 1)
            engine.close()
            os._exit(0)
        os.read(opened[0], 1)
        try:
            engine.list_endpoints()
        except StorageLockedError as error:
            assert f"(pid {child})" in str(error), error
            print("refused")
        os.write(ended[1], b".")
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), engine.list_endpoints().items)
        """,
        tmp_path / "engine.db",
    )
    assert (done.stdout, done.stderr, done.returncode) == ("refused\n0 []\n", "", 0)


def test_a_child_does_not_keep_the_file_from_those_who_come_after_its_parent(
    tmp_path: Path,
) -> None:
    """The lock is the parent's: it ends with the parent's engine, or with the parent."""
    done = run_program(
        """
        engine = SyncEngine(settings())
        engine.list_endpoints()
        end = os.pipe()
        child = os.fork()
        if not child:
            os.close(end[1])
            os.read(end[0], 1)
            os._exit(0)
        engine.close()
        with SyncEngine(settings()) as another:
            print(another.list_endpoints().items)
        os.close(end[1])
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
        tmp_path / "engine.db",
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n0\n", "", 0)


def test_a_child_never_takes_over_what_its_parent_had_open(tmp_path: Path) -> None:
    """Not even after its parent: SQLite would go by the parent's locks, and lose commits."""
    done = run_program(
        """
        engine = SyncEngine(settings())
        engine.list_endpoints()
        go = os.pipe()
        child = os.fork()
        if not child:
            os.read(go[0], 1)
            try:
                engine.list_endpoints()
            except StorageLockedError as error:
                assert "when it was forked" in str(error), error
                os._exit(7)
            os._exit(1)
        engine.close()
        os.write(go[1], b".")
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
        tmp_path / "engine.db",
    )
    assert (done.stdout, done.stderr, done.returncode) == ("7\n", "", 0)


def test_a_child_that_is_forked_while_the_engine_opens_does_not_hang(tmp_path: Path) -> None:
    """Whatever another thread held at that moment is not held in the child."""
    done = run_program(
        """
        engine = SyncEngine(settings())
        engine._lock.acquire()
        child = os.fork()
        if not child:
            engine.list_endpoints()
            engine.close()
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        engine._lock.release()
        """,
        tmp_path / "engine.db",
    )
    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)


def test_a_child_that_is_forked_while_the_engine_is_loaded_does_not_hang(tmp_path: Path) -> None:
    """It would wait for ever for a module that a thread of its parent was loading."""
    done = run_program(
        """
        import signal

        loading, forking = threading.Event(), threading.Event()

        class Watch:
            def find_spec(self, name, path, target=None):
                if name == "sluicegate.assembly" and not loading.is_set():
                    loading.set()
                    assert forking.wait(20)
                    finding = threading.Event()
                    finding.wait(0.2)  # whoever forks without waiting forks now

        sys.meta_path.insert(0, Watch())
        os.register_at_fork(before=forking.set)
        engine = SyncEngine(settings())
        opening = threading.Thread(target=engine.list_endpoints)
        opening.start()
        assert loading.wait(20)
        child = os.fork()
        if not child:
            signal.alarm(15)
            with SyncEngine(Settings(database=sys.argv[1] + ".child")) as another:
                another.list_endpoints()
            os._exit(0)
        opening.join(20)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        engine.close()
        """,
        tmp_path / "engine.db",
    )
    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)


def test_events_of_the_parent_end_in_a_child(tmp_path: Path) -> None:
    """A child that is forked while events are read would wait for its parent's for ever."""
    done = run_program(
        """
        engine = SyncEngine(settings())
        events = engine.events("message.accepted")
        endpoint_id = engine.create_endpoint("http://127.0.0.1:9/hook").id
        for number in range(2):
            engine.send(endpoint_id, number)
        next(events)
        child = os.fork()
        if not child:
            os._exit(len(list(events)))
        assert os.waitpid(child, 0)[1] == 0
        assert next(events).name == "message.accepted"
        engine.close()
        """,
        tmp_path / "engine.db",
    )
    assert (done.returncode, done.stderr) == (0, "")
