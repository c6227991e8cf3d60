"""What a record shows of itself ends up in tracebacks and logs: never a secret."""

from datetime import UTC, datetime

import pytest

from sluicegate.engine.model import (
    CreatedApiKey,
    CreatedEndpoint,
    CreatedSigningKey,
    Endpoint,
    EndpointConfig,
)
from sluicegate.engine.ports import ApiKeyRow, EndpointRow, SigningKeyRow

SECRET = "very-secret-indeed"
AT = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = EndpointConfig(url="https://example.com/", headers={"Authorization": SECRET})
CREATED_KEY = CreatedSigningKey(id="sk_1", signing_secret=SECRET, key_hint="deed", created_at=AT)
KEY_ROW = SigningKeyRow(id="sk_1", secret=SECRET, created_at_ms=1)


@pytest.mark.parametrize(
    "record",
    [
        CREATED_KEY,
        CreatedEndpoint(
            endpoint=Endpoint(
                id="ep_1",
                project_id="proj_1",
                config=CONFIG,
                paused_at=None,
                pause_reason=None,
                created_at=AT,
                updated_at=AT,
            ),
            signing_key=CREATED_KEY,
        ),
        CreatedApiKey(key_id="key_1", key=SECRET, prefix="sg_live_abc", label=None, created_at=AT),
        KEY_ROW,
        EndpointRow(id="ep_1", project_id="proj_1", config=CONFIG, key=KEY_ROW, created_at_ms=1),
        ApiKeyRow(
            id="key_1",
            project_id="proj_1",
            key_sha256=SECRET.encode(),
            prefix="sg_live_abc",
            label=None,
            created_at_ms=1,
        ),
    ],
    ids=lambda record: type(record).__name__,
)
def test_a_record_with_a_secret_does_not_show_it(record: object) -> None:
    """Each shows its type and its id, and nothing that opens anything."""
    for shown in (repr(record), str(record), repr([record])):
        assert SECRET not in shown
        assert type(record).__name__ in shown
