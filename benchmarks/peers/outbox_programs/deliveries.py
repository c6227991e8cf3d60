"""A webhook as a function that the outbox calls: a module of its own, which it looks up by name."""

import os

import requests
from jaiminho.send import save_to_outbox
from requests.adapters import HTTPAdapter

_URL = os.environ["SINK_URL"]
_HEADERS = {"Content-Type": "application/json"}
_CONNECTIONS = 16
_ATTEMPT_S = 30

_session = requests.Session()
_session.trust_env = False  # otherwise each request looks for proxies and .netrc
_session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS))


@save_to_outbox
def deliver(body: str) -> None:
    """Post a payload; when this raises, the event stays for the relay command."""
    data = body.encode()
    _session.post(_URL, data=data, headers=_HEADERS, timeout=_ATTEMPT_S).raise_for_status()
