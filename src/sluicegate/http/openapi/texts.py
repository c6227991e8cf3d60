"""What the description of the API says beside its routes."""

from typing import Any

__all__ = ["HEADERS", "SECURITY", "TAGS", "overview", "webhooks"]

Json = dict[str, Any]

_OVERVIEW = """\
Sluicegate delivers webhooks: it stores a message durably, answers, signs it and POSTs it to the
endpoint's URL until the receiver says 2xx or the retries are used up. An endpoint can be paused:
then everything is still accepted and stored, nothing is sent, and nothing is lost.

**Keys.** `Authorization: Bearer <key>` on everything under `/v1`. A key belongs to one project;
what is another project's reads as if it did not exist.

**Requests.** Bodies are JSON in UTF-8, strictly: no key twice in one object, no `NaN`, at most 100
levels deep. Integers are written without a fraction: `1`, not `1.0`. Fields that are not known are
ignored, as are query parameters. Where no body is described none is needed, and what is sent there
is ignored.

**Answers.** `data` holds what was asked for, `meta` the id of the request. Lists say in `meta`
whether there is more, and how to get it. More fields may be added.

**Times** are RFC 3339. Those that are answered are in UTC, with `Z` and 3 fractional digits; those
that are sent may have any offset, or none: then UTC is meant.

**Limits** are those of the default settings; the server may be set otherwise.

**Errors** are always JSON, also for unknown paths (404 `NOT_FOUND`), wrong methods (405
`METHOD_NOT_ALLOWED`) and malformed HTTP (400 `INVALID_REQUEST`). `code` is for programs and does
not change.

"""

TAGS: dict[str, str] = {
    "Sending": "Hand over messages. 202 means that they are durable.",
    "Endpoints": "Where messages go: create, change, pause, resume, delete.",
    "Signing keys": "What a receiver checks that a delivery is genuine with.",
    "Messages": "What became of each message, and what can be done with it.",
    "Dead letter queue": "The messages that were given up.",
    "Metrics": "What was accepted and attempted, by time.",
    "Exports": "Messages as CSV files, written in the background.",
    "API keys": "Who may use this API.",
    "Billing": "What was used. Nobody is billed.",
    "Deliveries": "What a receiver gets, and what its answers do.",
    "Operations": "For load balancers, supervisors and programs. No key is needed.",
}
"""The parts of the API, in the order in which a reader meets them."""

SECURITY: Json = {
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, such as `sg_live_…`. The first one is printed by the first "
        "start; more are made by `POST /v1/api-keys` or `sluicegate keys create`.",
    }
}

HEADERS: Json = {
    "X-Request-Id": {
        "description": "The id of this request, as in `meta`.",
        "required": True,
        "schema": {"type": "string", "pattern": "^req_[0-9a-f]{32}$"},
    },
    "Retry-After": {
        "description": "Whole seconds after which to try again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate (RFC 9110 §11.6.1).",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    },
    "ETag": {"description": "Of this version of the content.", "schema": {"type": "string"}},
    "Location": {
        "description": "Where the content is.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
}

_DELIVERY = """\
What an endpoint's receiver gets: the payload as it was sent, byte for byte, signed in two ways with
the same secret. Check one of them, on the raw body, and refuse timestamps that are minutes off.
The timestamp is that of the attempt, so retries are as fresh as first attempts.

- `X-Webhook-Signature`: `sha256=` and the hex HMAC-SHA256 of `<X-Webhook-Timestamp>.<body>`; the
  HMAC's key is the text of the secret, `whsec_` included.
- `webhook-signature` ([Standard Webhooks](https://www.standardwebhooks.com)): `v1,` and the base64
  HMAC-SHA256 of `<webhook-id>.<webhook-timestamp>.<body>`; the HMAC's key is what the base64 after
  `whsec_` decodes to.

While an endpoint has two signing keys there are two signatures, the newer key's first.

Delivery is *at least once*: `X-Webhook-Id` is the same on every attempt of a message, so a receiver
can tell what it has seen. Headers of the endpoint and of the message come with it.
"""


def overview(code_list: str) -> str:
    """Return the text at the head of the document."""
    return _OVERVIEW + code_list


def webhooks() -> Json:
    """Describe what a receiver gets, and what its answers do."""
    return {
        "delivery": {
            "post": {
                "operationId": "delivery",
                "tags": ["Deliveries"],
                "summary": "A delivery",
                "description": _DELIVERY,
                "security": [],
                "parameters": [
                    _header("X-Webhook-Id", "The message's id.", {"format": "uuid"}),
                    _header("X-Webhook-Timestamp", "Unix seconds.", {"pattern": "^[0-9]+$"}),
                    _header(
                        "X-Webhook-Signature",
                        "`sha256=<hex>`, or two of them with a comma between.",
                        {"pattern": "^sha256=[0-9a-f]{64}(,sha256=[0-9a-f]{64})?$"},
                    ),
                    _header("X-Webhook-Attempt", "Numbered from 1.", {"pattern": "^[1-9][0-9]*$"}),
                    _header("webhook-id", "As `X-Webhook-Id`.", {"format": "uuid"}),
                    _header(
                        "webhook-timestamp", "As `X-Webhook-Timestamp`.", {"pattern": "^[0-9]+$"}
                    ),
                    _header(
                        "webhook-signature",
                        "`v1,<base64>`, or two of them with a space between.",
                        {"pattern": "^v1,[0-9A-Za-z+/]{43}=( v1,[0-9A-Za-z+/]{43}=)?$"},
                    ),
                    _header(
                        "User-Agent",
                        "`Sluicegate/<version>`, unless the endpoint or the message has another.",
                        {},
                    ),
                ],
                "requestBody": {
                    "required": True,
                    "description": "The payload.",
                    "content": {"application/json": {"schema": {}}},
                },
                "responses": {
                    "2XX": {"description": "Delivered. The body is kept with the attempt."},
                    "3XX": {"description": "Failed for good: redirects are not followed."},
                    "4XX": {"description": "Failed for good, but for 408, 425 and 429."},
                    "408": {"description": "Repeated by the slow schedule, as is 425."},
                    "410": {"description": "Failed for good; the endpoint is paused (`gone`)."},
                    "429": {
                        "description": "Repeated by the fast schedule. `Retry-After` is heeded, "
                        "here and with every answer that is repeated."
                    },
                    "5XX": {
                        "description": "Repeated by the slow schedule, as is no answer at all."
                    },
                },
            }
        }
    }


def _header(name: str, description: str, schema: Json) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": description,
        "schema": {"type": "string", **schema},
    }
