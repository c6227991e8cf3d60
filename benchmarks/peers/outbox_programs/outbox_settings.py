"""Django with the outbox package django-jaiminho, and no more than the two need.

Durable: every event is stored in the transaction of the request before anything else is done
(`PERSIST_ALL_EVENTS`), and SQLite syncs each commit. The rest is as the package's documentation
has it, with its faster strategy, and as Django's has it for SQLite under concurrent writes.
"""

import os

SECRET_KEY = "a benchmark on loopback, nothing to hide from anyone"  # noqa: S105 - it opens nothing
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["jaiminho"]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "front"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["DATABASE"],
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
        },
    }
}
LOGGING = {"version": 1, "disable_existing_loggers": False, "root": {"level": "WARNING"}}
JAIMINHO_CONFIG = {
    "PERSIST_ALL_EVENTS": True,
    "DELETE_AFTER_SEND": True,
    "PUBLISH_STRATEGY": "publish-on-commit",
}
