"""What an answer shows of itself may end up in a traceback: never a secret."""

from datetime import UTC, datetime

import pytest

from sluicegate.engine.model import (
    CreatedApiKey,
    CreatedEndpoint,
    CreatedSigningKey,
    Endpoint,
    EndpointConfig,
)
from sluicegate.http.api.api_key_answers import CreatedApiKeyAnswer
from sluicegate.http.api.endpoint_answers import (
    CreatedEndpointAnswer,
    EndpointAnswer,
    UpdatedEndpointAnswer,
)
from sluicegate.http.api.signing_key_answers import CreatedSigningKeyAnswer

SECRET = "very-secret-indeed"
AT = datetime(2026, 1, 1, tzinfo=UTC)
KEY = CreatedSigningKey(id="sk_1", signing_secret=SECRET, key_hint="deed", created_at=AT)
ENDPOINT = Endpoint(
    id="ep_1",
    project_id="proj_1",
    config=EndpointConfig(url="https://example.com/", headers={"X-Token": SECRET}),
    paused_at=None,
    pause_reason=None,
    created_at=AT,
    updated_at=AT,
)


@pytest.mark.parametrize(
    "answer",
    [
        CreatedEndpointAnswer.of(CreatedEndpoint(endpoint=ENDPOINT, signing_key=KEY)),
        EndpointAnswer.of(ENDPOINT),
        UpdatedEndpointAnswer.of(ENDPOINT),
        CreatedSigningKeyAnswer.of(KEY),
        CreatedApiKeyAnswer.of(
            CreatedApiKey(key_id="key_1", key=SECRET, prefix="sg_", label=None, created_at=AT)
        ),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_an_answer_with_a_secret_does_not_show_it(answer: object) -> None:
    """Each shows its type and its id, and nothing that opens anything."""
    for shown in (repr(answer), str(answer), repr([answer])):
        assert SECRET not in shown
        assert type(answer).__name__ in shown
