"""What schemathesis must know besides `openapi.json`: rules that JSON Schema has no words for.

It is loaded by the schemathesis command, not by pytest.
"""

import itertools
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import schemathesis

_URL = re.compile(r"https://[!-~]{4,2040}", re.IGNORECASE)
_NUMBERS = itertools.count(1)

_GONE = 410  # how the message stands
_REFUSED_BY_MORE_THAN_FORM = {
    "ENDPOINT_BLOCKED",  # where a name leads to
    "ENDPOINT_UNREACHABLE",  # that a name exists
    "EXPORT_NOT_READY",  # how the export stands
    "INVALID_ENDPOINT",  # what RFC 3986 and the HTTP client must read alike
    "INVALID_HEADERS",  # reserved names, names that differ by case alone, bytes in all
    "INVALID_STATUS",  # how the message stands
}


_ID = re.compile(r"(ep|sk|key)_[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}")
_KNOWN: dict[str, list[dict[str, str]]] = json.loads(os.environ["SLUICEGATE_FUZZ_IDS"])
_FILE = "GET /exports/{export_id}/file"
_POOLS = {"DELETE ": "doomed", "/dlq/": "dead", "/retry-now": "retried", "/cancel": "retried"}
"""What operations need that not everything is fit for."""
_IN_TURN: dict[str, Iterator[dict[str, str]]] = {
    name: itertools.cycle(ids) for name, ids in _KNOWN.items()
}


@schemathesis.hook
def map_body(_: object, body: Any) -> Any:
    """Let endpoints lead to hosts that exist, each to a URL of its own; send to some that exist."""
    if not isinstance(body, dict):
        return body
    url, endpoint_id = body.get("url"), body.get("endpoint_id")
    if isinstance(url, str) and _URL.fullmatch(url):
        body["url"] = f"https://public.example/fuzzed/{next(_NUMBERS)}"
    if isinstance(endpoint_id, str) and _ID.fullmatch(endpoint_id):
        body["endpoint_id"] = next(_IN_TURN["kept"])["endpoint_id"]
    return body


@schemathesis.hook
def map_query(context: Any, query: Any) -> Any:
    """Let what changes many messages at once change those that are there for it."""
    if context.operation.label.endswith(("/delete-all", "/replay-all")):
        return {**(query or {}), "endpoint_id": next(_IN_TURN["doomed"])["endpoint_id"]}
    if context.operation.label == _FILE and query and "token" in query:
        return {**query, "token": _KNOWN["kept"][0]["token"]}
    return query


@schemathesis.hook
def map_path_parameters(context: Any, parameters: Any) -> Any:
    """Ask for what exists, where the form is right: else nearly every answer would be 404."""
    values = list(parameters.values()) if isinstance(parameters, dict) else []
    if not values or not all(isinstance(each, str) and _ID.fullmatch(each) for each in values):
        return parameters
    label = context.operation.label
    pool = next((pool for part, pool in _POOLS.items() if part in label), "kept")
    # A token is for one export.
    known = _KNOWN["kept"][0] if label == _FILE else next(_IN_TURN[pool])
    return {**parameters, **{name: known[name] for name in parameters if name in known}}


@schemathesis.hook
def filter_failure(_: object, failure: Any, case: Any, response: Any) -> bool:
    """Keep what is a failure; leave out what the description says in words."""
    name, answer = type(failure).__name__, _answer(response)
    if "" in (case.path_parameters or {}).values():
        return False  # `/v1/messages//replay` is another path once it is tidied up
    match name:
        case "RejectedPositiveData":
            return response.status_code != _GONE and not _is_more_than_form(answer)
        case "AcceptedNegativeData":
            return not _is_lenient(case.operation.label, answer)
        case "UseAfterFree":
            # "The message, its status and its attempts stay listed"; "Twice is fine".
            return not re.match(r"(GET|DELETE) /v1/messages/", case.operation.label)
        case _:
            return True


def _answer(response: Any) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _is_more_than_form(answer: dict[str, Any]) -> bool:
    error = answer.get("error", {})
    if error.get("code") in _REFUSED_BY_MORE_THAN_FORM:
        return True
    details = error.get("details", {})
    if details.get("field") == "cursor":
        return True  # it is opaque: only one that was given fits
    if "fields" in details:
        return True  # one of two parameters is needed
    message = error.get("message", "")
    if "is not in DLQ" in message or "must be after" in message:
        return True  # how the message stands; how two moments do
    # "Integers are written without a fraction"; to JSON Schema 1.0 is an integer.
    return re.search(r"Expected int( \| null)?, got float", message) is not None


def _is_lenient(operation: str, answer: dict[str, Any]) -> bool:
    data = answer.get("data")
    if operation == "GET /v1/messages/{message_id}/attempts":
        return data == []  # "An unknown message has none"
    if operation == "POST /v1/webhooks/send-batch" and isinstance(data, list):
        return any("error" in each for each in data)  # "Each is refused on its own"
    return False
