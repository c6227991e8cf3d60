"""Django's own transactions on PostgreSQL, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from sluicegate import Engine, Settings

from .conftest import Deliveries
from .postgres import Server

SETTINGS = """
INSTALLED_APPS = ["sluicegate.integrations.django", "sluicegate.integrations.django.outbox_tables"]
SLUICEGATE = {{"outboxes": ["default"]}}
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": {host!r},
        "OPTIONS": {{"options": "-csearch_path={schema}", "pool": False}},
    }}
}}
"""

PROGRAM = """
import sys
import django
from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction
django.setup()
from sluicegate.engine.errors import OutboxError
from sluicegate.integrations.django import engine, outbox
try:
    with transaction.atomic():
        outbox().send(sys.argv[1], "no tables")
except OutboxError as error:
    assert "create_tables" in str(error)
call_command("migrate", verbosity=0)
call_command("migrate", "sluicegate_outbox", "zero", verbosity=0)
call_command("migrate", verbosity=0)
try:
    outbox().send(sys.argv[1], "by itself")
except OutboxError as error:
    assert "no transaction" in str(error)
for number in range(2):
    with transaction.atomic():
        sent = engine().outbox(connection).send(sys.argv[1], b"1.0")
        outbox().send_batch([{"endpoint_id": sys.argv[1], "payload": 2}])
        transaction.set_rollback(not number)
print(sent)
print(apps.get_app_config("sluicegate").settings.outboxes[0])
"""


async def test_what_django_commits_is_moved_from_postgresql(
    tmp_path: Path, postgresql: Server, settings: Settings, deliveries: Deliveries, endpoint_id: str
) -> None:
    """By the URL that the app makes of the alias; what is rolled back was never there."""
    text = SETTINGS.format(host=str(postgresql.folder), schema=postgresql.new_schema())
    (tmp_path / "shop_settings.py").write_text(text, encoding="utf-8")
    done = subprocess.run(  # noqa: ASYNC221, S603 - as above; our own interpreter
        [sys.executable, "-c", PROGRAM, endpoint_id],
        cwd=tmp_path,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "shop_settings", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sent, url = done.stdout.split()
    settings = msgspec.structs.replace(settings, outboxes=(url,))
    async with Engine(settings, sender=deliveries) as engine:
        await deliveries.until(2)
        assert len((await engine.list_logs()).items) == 2
    assert deliveries.ids[0] == sent
    assert deliveries.bodies == [b"1.0", b"2"]
