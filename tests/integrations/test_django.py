"""Django, itself, in a process of its own: the README's lines, its transactions, its checks."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Receiver
from .documented import blocks, lines_of

PROJECT = """
ROOT_URLCONF = "shop_urls"
ALLOWED_HOSTS = ["testserver"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
"""

URLS = """
from django.urls import path
from shop_views import order
urlpatterns = [path("orders", order)]
"""

OUTBOX_PROGRAM = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "shop_settings"
import django
from django.core.management import call_command
from django.db import transaction
from django.test import Client
django.setup()
call_command("migrate", verbosity=0)
call_command("migrate", "sluicegate_outbox", "zero", verbosity=0)
call_command("migrate", verbosity=0)
try:
    with transaction.atomic():
        Client().post("/orders")
        raise ZeroDivisionError
except ZeroDivisionError:
    print("rolled back")
print(Client().post("/orders").status_code)
from sluicegate.engine.errors import OutboxError
from sluicegate.integrations.django import outbox
try:
    outbox().send(os.environ["ENDPOINT"], "by itself")
except OutboxError:
    print("no transaction")
print(django.apps.apps.get_app_config("sluicegate").settings.outboxes[0])
"""

PROGRAM = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "shop_settings"
import django
from django.core.management import call_command
from django.db import transaction
from django.test import Client
django.setup()
call_command("check")
try:
    with transaction.atomic():
        Client().post("/orders")
        raise ZeroDivisionError
except ZeroDivisionError:
    print("rolled back", flush=True)
with transaction.atomic():
    print(Client().post("/orders").status_code, flush=True)
sys.stdin.read()
from sluicegate.integrations.django import engine
print(len(engine().list_logs().items))
"""


def write_project(folder: Path, *, settings: str, views: str) -> None:
    """Write a project around the lines of the document."""
    (folder / "shop_settings.py").write_text(settings + PROJECT, encoding="utf-8")
    (folder / "shop_views.py").write_text(views, encoding="utf-8")
    (folder / "shop_urls.py").write_text(URLS, encoding="utf-8")


@pytest.mark.usefixtures("endpoint_id")
def test_fewer_than_ten_lines_send_from_django(tmp_path: Path, receiver: Receiver) -> None:
    """What is committed is delivered, once; what is rolled back is not; the process ends."""
    settings, views = blocks("README.md", "Django")
    assert lines_of(settings + views) < 10
    write_project(tmp_path, settings=settings, views=views)
    with subprocess.Popen(  # noqa: S603 - our own interpreter, the program above
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert receiver.next_body() == b'{"event":"order.created"}'
            told, _ = process.communicate("", timeout=30)
        finally:
            process.kill()
    assert told.split("\n") == [
        "System check identified no issues (0 silenced).",
        "rolled back",
        "202",
        "1",
        "",
    ]
    assert process.returncode == 0
    assert receiver.bodies.empty()


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("None", "must be a dict of settings"),
        ('{"drain_s": -1}', "drain_s: value -1 is not allowed"),
        ('{"databse": "x.db"}', "databse"),
        ('{"outboxes": ["other"]}', "there is no 'other' in DATABASES"),
        ('{"outboxes": "default"}', "must be a list of aliases"),
        ('{"outboxes": ["default"]}', "outboxes: value *** is not allowed"),
        ('{"mode": "both"}', "mode must be deliver or enqueue, not 'both'"),
    ],
)
def test_the_system_checks_say_what_is_wrong(tmp_path: Path, setting: str, told: str) -> None:
    """With its name, before anything is opened."""
    settings = f'INSTALLED_APPS = ["sluicegate.integrations.django"]\nSLUICEGATE = {setting}\n'
    write_project(tmp_path, settings=settings, views="order = print")
    done = subprocess.run(
        [sys.executable, "-m", "django", "check", "--settings=shop_settings", "--pythonpath=."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "(sluicegate.E001) SLUICEGATE: " in done.stderr
    assert told in done.stderr
    assert not list(tmp_path.glob("*.db*"))


def test_a_command_that_skips_the_checks_says_what_is_wrong(tmp_path: Path) -> None:
    """As `call_command` does, from a program."""
    settings = 'INSTALLED_APPS = ["sluicegate.integrations.django"]\nSLUICEGATE = {"drain_s": -1}\n'
    write_project(tmp_path, settings=settings, views="order = print")
    done = subprocess.run(
        [sys.executable, "-m", "django", "sluicegate_deliver", "--skip-checks"],
        cwd=tmp_path,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "shop_settings", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ImproperlyConfigured: SLUICEGATE: drain_s: value -1 is not allowed" in done.stderr


@pytest.mark.usefixtures("endpoint_id")
def test_what_is_written_in_djangos_transaction_is_delivered_by_the_command(
    tmp_path: Path, receiver: Receiver
) -> None:
    """What is committed, once; what is rolled back never; the documents' own lines."""
    settings, views, _ = blocks("docs/embedding.md", "Django")
    write_project(tmp_path, settings=settings, views=views)
    with (tmp_path / "shop_settings.py").open("a", encoding="utf-8") as file:
        file.write('DATABASES["default"]["NAME"] = "shop.db"\n')
    told = subprocess.run(  # noqa: S603 - our own interpreter, the program above
        [sys.executable, "-c", OUTBOX_PROGRAM],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [
        *("rolled", "back", "202", "no", "transaction"),
        "sqlite:///shop.db",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "django", "sluicegate_deliver"],
        cwd=tmp_path,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "shop_settings", "PYTHONPATH": "."},
    ) as owner:
        try:
            assert receiver.next_body() == b'{"event":"order.created"}'
            owner.send_signal(signal.SIGTERM)
            assert owner.wait(30) == 0
        finally:
            owner.kill()
    assert receiver.bodies.empty()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_command_delivers_what_others_enqueue(
    tmp_path: Path, receiver: Receiver, endpoint_id: str, stop: signal.Signals
) -> None:
    """Until it is told to stop; a second one is told that there is one already."""
    settings = (
        'INSTALLED_APPS = ["sluicegate.integrations.django"]\n'
        'SLUICEGATE = {"database": "webhooks.db", "dev": True, "mode": "enqueue"}\n'
    )
    write_project(tmp_path, settings=settings, views="order = print")
    send = (
        "import django; django.setup()\n"
        "from sluicegate.integrations.django import engine\n"
        f"engine().send({endpoint_id!r}, {{'order': 1}})\n"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "shop_settings", "PYTHONPATH": "."}
    deliver = [sys.executable, "-m", "django", "sluicegate_deliver"]
    with subprocess.Popen(  # noqa: S603 - our own interpreter, the command under test
        deliver, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as owner:
        try:
            assert owner.stdout is not None
            assert owner.stdout.readline() == "delivering from webhooks.db\n"
            subprocess.run(  # noqa: S603 - our own interpreter, the program above
                [sys.executable, "-c", send], cwd=tmp_path, env=environment, check=True
            )
            assert receiver.next_body() == b'{"order":1}'
            second = subprocess.run(  # noqa: S603 - as the first
                deliver, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert second.returncode == 1
            assert "webhooks.db" in second.stderr
            assert "Traceback" not in second.stderr
            owner.send_signal(stop)
            assert owner.wait(30) == 0
        finally:
            owner.kill()
