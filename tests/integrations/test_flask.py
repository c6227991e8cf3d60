"""Flask, itself: the README's lines."""

from pathlib import Path

import pytest
from flask import Flask

from sluicegate import Settings
from sluicegate.engine.errors import SettingError
from sluicegate.integrations.flask import current_engine, init_app

from .conftest import Receiver
from .documented import block, lines_of, run_as_module


@pytest.mark.usefixtures("endpoint_id")
def test_fewer_than_ten_lines_send_from_flask(tmp_path: Path, receiver: Receiver) -> None:
    """They deliver while the application runs."""
    code = block("README.md", "Flask")
    assert lines_of(code) < 10
    app = run_as_module(code, tmp_path)["app"]
    assert isinstance(app, Flask)
    answer = app.test_client().post("/orders")
    assert answer.status_code == 200
    assert receiver.next_body() == b'{"event":"order.created"}'
    with app.app_context():
        engine = current_engine()
    message_id = answer.get_json()["message"]
    assert engine.get_message(message_id).id == message_id
    engine.close()
    assert receiver.bodies.empty()


def test_an_application_has_one_engine(settings: Settings) -> None:
    """Without one, and with a second, it says what to do."""
    app = Flask("shop")
    with app.app_context():
        with pytest.raises(RuntimeError, match=r"call `init_app\(app, Settings"):
            current_engine()
        engine = init_app(app, settings)
        assert current_engine() is engine
        with pytest.raises(RuntimeError, match="once"):
            init_app(app, settings)
    with pytest.raises(SettingError, match="mode"):
        init_app(Flask("other"), settings, mode="both")  # type: ignore[arg-type]  # what is refused
