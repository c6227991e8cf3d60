"""What a receiver believes, and everything that it must not."""

import base64
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import Message as MailMessage
from http.client import HTTPMessage

import pytest
from django.http.request import HttpHeaders
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.datastructures import Headers as StarletteHeaders
from werkzeug.datastructures import Headers as WerkzeugHeaders

from sluicegate import verify
from sluicegate.engine.errors import (
    MalformedWebhookError,
    SignatureDowngradeError,
    SignatureMismatchError,
    SigningSecretError,
    SluicegateError,
    VerificationError,
    WebhookTimestampError,
)
from sluicegate.engine.signing import signature_headers

NOW_S = 1_800_000_000
ID = "0192f0c1-7e3a-7cc0-8f00-000000000001"
BODY = b'{"event":"order.created"}'


def secret_of(byte: bytes, size: int = 32) -> str:
    """Return a signing secret that is easy to tell."""
    return "whsec_" + base64.b64encode(byte * size).decode()


OLD, NEW, OTHER = secret_of(b"o"), secret_of(b"n"), secret_of(b"x")


def signed(
    *secrets: str, message_id: str = ID, at_s: int = NOW_S, body: bytes = BODY
) -> dict[str, str]:
    """Return the headers of a delivery, as the engine makes them."""
    return dict(
        signature_headers(
            message_id=message_id, timestamp_s=at_s, body=body, secrets=secrets or (NEW,)
        )
    )


def only(headers: dict[str, str], prefix: str) -> dict[str, str]:
    """Return one of both forms."""
    return {name: value for name, value in headers.items() if name.startswith(prefix)}


def test_both_forms_of_a_delivery_verify_and_tell_what_was_proved() -> None:
    """Id, moment and key are told, and that the id is signed."""
    verified = verify([OLD, NEW], signed(), BODY, now_s=NOW_S)
    assert verified.message_id == ID
    assert verified.timestamp_s == NOW_S
    assert verified.signed_at == datetime.fromtimestamp(NOW_S, tz=UTC)
    assert verified.key_index == 1
    assert verified.id_is_signed


def test_the_machines_clock_is_asked_when_no_time_is_given() -> None:
    """What is signed now is fresh; what was signed a year ago is not."""
    now_s = int(time.time())  # noqa: TID251 - the point is the machine's own clock
    assert verify(NEW, signed(at_s=now_s), BODY).timestamp_s == now_s
    with pytest.raises(WebhookTimestampError):
        verify(NEW, signed(at_s=now_s - 365 * 86_400), BODY)


def test_the_vector_of_standard_webhooks_verifies() -> None:
    """The vector of its reference libraries, whose secret has 24 bytes."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    assert verify(secret, headers, body, now_s=1614265330).message_id == headers["webhook-id"]
    among = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
    several = " ".join((among, among.replace("v1", "v2"), headers["webhook-signature"], among))
    verify(secret, headers | {"webhook-signature": several}, body, now_s=1614265330)
    with pytest.raises(SignatureMismatchError):
        verify(secret, headers | {"webhook-signature": among}, body, now_s=1614265330)


@given(
    body=st.text().map(str.encode),
    key=st.binary(min_size=24, max_size=64),
    late_s=st.integers(-600, 600).filter(lambda late_s: abs(abs(late_s) - 300) > 5),
    tamper=st.booleans(),
)
def test_it_agrees_with_the_standardwebhooks_package(
    *, body: bytes, key: bytes, late_s: int, tamper: bool
) -> None:
    """Both ways: each takes and refuses what the other one does, whoever signed it."""
    secret = "whsec_" + base64.b64encode(key).decode()
    at_s = int(time.time()) - late_s  # noqa: TID251 - the package asks the machine's clock
    theirs = {
        "webhook-id": ID,
        "webhook-timestamp": str(at_s),
        "webhook-signature": Webhook(secret).sign(
            ID, datetime.fromtimestamp(at_s, tz=UTC), body.decode()
        ),
    }
    ours = signed(secret, at_s=at_s, body=body)
    arrived = body + b" " if tamper else body
    for headers in (theirs, ours):
        try:
            Webhook(secret).verify(arrived, headers, json_parse=False)
        except WebhookVerificationError:
            with pytest.raises(VerificationError):
                verify(secret, headers, arrived)
        else:
            assert verify(secret, headers, arrived).message_id == ID


@pytest.mark.parametrize(
    ("secrets", "signers", "index"),
    [
        ([OLD, NEW], [NEW, OLD], 0),
        ([NEW, OLD], [NEW, OLD], 0),
        ([NEW], [NEW, OLD], 0),
        ([OLD], [NEW, OLD], 0),
        ([OLD, NEW], [NEW], 1),
        ((OTHER, OLD), [NEW, OLD], 1),
    ],
)
def test_either_of_two_keys_will_do_on_either_side(
    secrets: list[str], signers: list[str], index: int
) -> None:
    """While a key is rotated, sender and receiver have both, or one of them already or still."""
    assert verify(secrets, signed(*signers), BODY, now_s=NOW_S).key_index == index


def test_it_takes_the_headers_of_every_framework() -> None:
    """Any mapping, multi-mapping, or pairs of text or bytes, in any case."""
    plain = signed() | {"Content-Type": "application/json"}
    mail, http = MailMessage(), HTTPMessage()
    for name, value in plain.items():
        mail[name], http[name] = value, value
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in plain.items()}
    raw = [(name.lower().encode(), value.encode()) for name, value in plain.items()]
    for headers in (
        plain,
        {name.upper(): value for name, value in plain.items()},
        {name: [value] for name, value in plain.items()},
        {name.encode(): value.encode() for name, value in plain.items()},
        list(plain.items()),
        raw,
        iter(raw),
        mail,
        http,
        CIMultiDict(plain),
        CIMultiDictProxy(CIMultiDict(plain)),
        StarletteHeaders(raw=raw),
        WerkzeugHeaders(list(plain.items())),
        HttpHeaders(environ),
    ):
        assert verify(NEW, headers, BODY, now_s=NOW_S).message_id == ID, type(headers)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, bytes.decode])
def test_it_takes_the_body_as_bytes_or_text(kind: Callable[[bytes], bytes | str]) -> None:
    """Text stands for its UTF-8."""
    body = '{"name":"Zoë"}'.encode()
    assert verify(NEW, signed(body=body), kind(body), now_s=NOW_S).message_id == ID


REFUSED: dict[str, tuple[type[VerificationError], dict[str, str]]] = {
    "another body": (SignatureMismatchError, signed(body=BODY + b" ")),
    "another key": (SignatureMismatchError, signed(OTHER)),
    "another id": (
        SignatureMismatchError,
        signed() | {"webhook-id": "another", "X-Webhook-Id": "another"},
    ),
    "another moment": (
        SignatureMismatchError,
        signed() | {"webhook-timestamp": str(NOW_S + 1), "X-Webhook-Timestamp": str(NOW_S + 1)},
    ),
    "the strong form wrong": (
        SignatureMismatchError,
        signed() | only(signed(OTHER), "webhook-"),
    ),
    "the weak form wrong": (SignatureMismatchError, signed() | only(signed(OTHER), "X-")),
    "only the weak form": (SignatureDowngradeError, only(signed(), "X-")),
    "the strong form asymmetric": (
        MalformedWebhookError,
        signed() | {"webhook-signature": "v1a,abc"},
    ),
    "the strong form of an unknown version": (
        MalformedWebhookError,
        signed() | {"webhook-signature": signed()["webhook-signature"].replace("v1", "v9")},
    ),
    "the weak form of an unknown version": (
        MalformedWebhookError,
        signed() | {"X-Webhook-Signature": "sha1=00"},
    ),
    "the strong form without its signature": (
        MalformedWebhookError,
        only(signed(), "X-") | {"webhook-id": ID, "webhook-timestamp": str(NOW_S)},
    ),
    "ids that differ": (MalformedWebhookError, signed() | {"X-Webhook-Id": "another"}),
    "moments that differ": (
        MalformedWebhookError,
        signed() | only(signed(at_s=NOW_S + 1), "X-"),
    ),
    "nothing signed": (MalformedWebhookError, {"Content-Type": "application/json"}),
    "an empty id": (MalformedWebhookError, signed() | {"webhook-id": "", "X-Webhook-Id": ""}),
    "301 s ago": (WebhookTimestampError, signed(at_s=NOW_S - 301)),
    "in 301 s": (WebhookTimestampError, signed(at_s=NOW_S + 301)),
    "names that differ in case": (MalformedWebhookError, signed() | {"Webhook-Id": ID}),
    "17 signatures": (
        MalformedWebhookError,
        signed() | {"webhook-signature": " ".join(["v1,x"] * 16 + [signed()["webhook-signature"]])},
    ),
    "a signature beyond ASCII": (
        SignatureMismatchError,
        signed() | {"webhook-signature": "v1,ü", "X-Webhook-Signature": "sha256=\ud800"},
    ),
    "a beginning of the signature": (
        SignatureMismatchError,
        signed() | {"webhook-signature": signed()["webhook-signature"][:20]},
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses(case: str) -> None:
    """Each by its own error, which shows neither the secret nor a signature that is right."""
    kind, headers = REFUSED[case]
    with pytest.raises(VerificationError) as refused:
        verify(NEW, headers, BODY, now_s=NOW_S)
    assert type(refused.value) is kind
    right = signed(at_s=int(headers.get("webhook-timestamp") or NOW_S))
    told = f"{refused.value!s} {refused.value!r} {refused.value.details}"
    for hidden in (NEW, NEW[6:], right["webhook-signature"][3:], right["X-Webhook-Signature"][7:]):
        assert hidden not in told


@pytest.mark.parametrize("late_s", [-300, 300, 0])
def test_the_tolerance_itself_is_allowed(late_s: int) -> None:
    """In both directions."""
    assert verify(NEW, signed(at_s=NOW_S - late_s), BODY, now_s=NOW_S).message_id == ID
    with pytest.raises(WebhookTimestampError):
        verify(NEW, signed(at_s=NOW_S - 1), BODY, 0, now_s=NOW_S)


@pytest.mark.parametrize(
    "timestamp", ["", "1.8e9", " 1800000000", "01800000000", "\u0661", "-1", "9" * 13]
)
def test_a_timestamp_is_decimal(timestamp: str) -> None:
    """Nothing else is signed, and no other spelling of a number is read."""
    headers = signed() | {"webhook-timestamp": timestamp, "X-Webhook-Timestamp": timestamp}
    with pytest.raises(MalformedWebhookError):
        verify(NEW, headers, BODY, now_s=NOW_S)


def test_no_part_of_a_signed_text_can_be_moved_into_another() -> None:
    """`id.timestamp.body` is one text: a number as body could else be read as the moment."""
    body = f"{NOW_S}.5".encode()
    captured = only(signed(message_id="m", at_s=NOW_S - 1000, body=body), "webhook-")
    moved = captured | {"webhook-id": f"m.{NOW_S - 1000}", "webhook-timestamp": str(NOW_S)}
    with pytest.raises(MalformedWebhookError, match="full stop"):
        verify(NEW, moved, b"5", now_s=NOW_S)


@pytest.mark.parametrize("name", signed())
def test_a_header_that_is_there_twice_is_refused(name: str) -> None:
    """Also with the same value: who reads which of them is anybody's guess."""
    twice = [*signed().items(), (name.swapcase(), signed()[name])]
    for headers in (twice, CIMultiDict(twice), {**signed(), name: [signed()[name]] * 2}):
        with pytest.raises(MalformedWebhookError, match="more than once"):
            verify(NEW, headers, BODY, now_s=NOW_S)


def test_who_has_only_the_weak_form_must_say_so() -> None:
    """Then it is taken, told apart, and the strong one is still held to if it is there."""
    weak = only(signed(), "X-")
    verified = verify(NEW, weak, BODY, allow_unsigned_id=True, now_s=NOW_S)
    assert not verified.id_is_signed
    with pytest.raises(SignatureMismatchError):
        verify(OTHER, weak, BODY, allow_unsigned_id=True, now_s=NOW_S)
    wrong = signed() | only(signed(OTHER), "webhook-")
    with pytest.raises(SignatureMismatchError):
        verify(NEW, wrong, BODY, allow_unsigned_id=True, now_s=NOW_S)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        None,
        b"whsec_",
        [],
        [NEW, None],
        [NEW, ""],
        [NEW] * 17,
        "whsec_",
        NEW + "\n",
        NEW[:-1],
        NEW.removeprefix("whsec_"),
        secret_of(b"n", 23),
        secret_of(b"n", 65),
        "whsk_" + "A" * 44,
        "whpk_" + "A" * 44,
        "whsec_" + "ü" * 44,
    ],
)
def test_a_malformed_secret_is_the_receivers_own_mistake(secret: object) -> None:
    """An empty key above all, with which anybody could sign. The error does not show it."""
    with pytest.raises(SigningSecretError) as refused:
        verify(secret, signed(), BODY, now_s=NOW_S)  # type: ignore[arg-type]
    assert not isinstance(refused.value, VerificationError)
    assert isinstance(refused.value, SluicegateError)
    assert NEW[6:40] not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(
    "tolerance_s", [-1, float("nan"), float("inf"), True, None, "300", 604_801]
)
def test_a_tolerance_that_would_let_anything_pass_is_refused(tolerance_s: object) -> None:
    """Compared with NaN no moment is too old."""
    with pytest.raises(ValueError, match="tolerance_s"):
        verify(NEW, signed(), BODY, tolerance_s, now_s=NOW_S)  # type: ignore[arg-type]


@pytest.mark.parametrize("now_s", [float("nan"), float("inf"), float("-inf")])
def test_a_time_at_which_nothing_would_be_too_old_is_refused(now_s: float) -> None:
    """No timestamp is more than the tolerance from what is no number."""
    with pytest.raises(ValueError, match="now_s"):
        verify(NEW, signed(), BODY, now_s=now_s)


@pytest.mark.parametrize("body", [{"event": "order.created"}, None, 5])
def test_a_body_that_was_parsed_is_refused(body: object) -> None:
    """Written again it would be other bytes."""
    with pytest.raises(TypeError, match="as they came"):
        verify(NEW, signed(), body, now_s=NOW_S)  # type: ignore[arg-type]


@pytest.mark.parametrize("headers", [None, 5, "webhook-id: x", [("a",)], {"webhook-id": 5}])
def test_what_is_no_headers_is_refused(headers: object) -> None:
    """With what is wanted."""
    with pytest.raises(TypeError, match="headers"):
        verify(NEW, headers, BODY, now_s=NOW_S)  # type: ignore[arg-type]
