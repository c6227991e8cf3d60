"""A webhook as a Celery task, as Celery's documentation has it for many short ones.

Durable: a task is acknowledged late, and comes again if its worker is lost; results are nobody's
business here. Fast: a large prefetch ("Optimizing: for many short tasks"), no events, no rate
limits, and one session that keeps its connections.
"""

import os
from collections.abc import Callable

from celery import Celery
from celery.signals import worker_ready

app = Celery("deliveries", broker=os.environ["BROKER_URL"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=64,
    worker_disable_rate_limits=True,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
    broker_pool_limit=16,
)


@worker_ready.connect
def _say_ready(**_: object) -> None:
    """Say so in the log, which has nothing else: tasks are logged only from level INFO."""
    print("takes tasks", flush=True)


_URL = os.environ["SINK_URL"]
_HEADERS = {"Content-Type": "application/json"}
_CONNECTIONS = 16
_ATTEMPT_S = 30


def _requests_post() -> Callable[[bytes], None]:
    import requests  # noqa: PLC0415 - the one client that this worker uses
    from requests.adapters import HTTPAdapter  # noqa: PLC0415 - same

    session = requests.Session()
    session.trust_env = False  # otherwise each request looks for proxies and .netrc
    session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS))

    def post(body: bytes) -> None:
        session.post(_URL, data=body, headers=_HEADERS, timeout=_ATTEMPT_S).raise_for_status()

    return post


def _httpx_post() -> Callable[[bytes], None]:
    import httpx  # noqa: PLC0415 - the one client that this worker uses

    client = httpx.Client(
        trust_env=False,
        timeout=_ATTEMPT_S,
        limits=httpx.Limits(max_keepalive_connections=_CONNECTIONS),
    )

    def post(body: bytes) -> None:
        client.post(_URL, content=body, headers=_HEADERS).raise_for_status()

    return post


_post = _httpx_post() if os.environ["HTTP_CLIENT"] == "httpx" else _requests_post()


@app.task(autoretry_for=(Exception,), retry_backoff=True, max_retries=8)
def deliver(body: str) -> None:
    """Post a payload; what fails is tried again, later and later."""
    _post(body.encode())
