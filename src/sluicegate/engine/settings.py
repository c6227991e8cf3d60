"""Every setting, with its default, its bounds and what it is for.

A field's type carries its bounds, the line under it says what it is. `docs/settings.md` is made
from both; `sluicegate.engine.setting_rules` enforces the bounds.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sluicegate.engine.setting_rules import check_settings

__all__ = ["SECRET_SETTINGS", "Settings"]

SECRET_SETTINGS: frozenset[str] = frozenset({"bootstrap_api_key", "outboxes", "secret_key"})
"""The settings whose values are never shown."""

_YEAR_S = 31_536_000
_DelayS = Annotated[float, Meta(ge=0, le=_YEAR_S)]
_TimeoutS = Annotated[float, Meta(ge=0.001, le=600)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set. Each field is also `SLUICEGATE_<NAME>` and a key of a TOML file.

    Raises:
        SettingError: a value that is not allowed; the message names setting, value and what is.
    """

    # -- the server -------------------------------------------------------------------------

    database: Annotated[str, Meta(description="the path of a file")] = "./sluicegate.db"
    """The SQLite file that holds everything. More files are beside it."""
    host: Annotated[str, Meta(description="an address or a host name")] = "127.0.0.1"
    """The address that the HTTP API listens on."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8400
    """The TCP port that the HTTP API listens on; 0 takes any free one."""
    dev: bool = False
    """Development: endpoints may have `http://` URLs and loopback or private addresses."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important events that `sluicegate serve` logs."""
    log_format: Literal["auto", "console", "json"] = "auto"
    """How `sluicegate serve` logs: for people, as JSON lines, or by whether it is a terminal."""
    connections_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 1000
    """Connections to the HTTP API at once; beyond it the one that is idle longest is closed."""
    metrics: bool = True
    """Whether `GET /metrics` answers Prometheus; it needs no key."""
    docs: bool = True
    """Whether the API's description is served: `/openapi.json`, and `/docs` for people."""
    drain_s: Annotated[float, Meta(ge=0, le=3600)] = 30
    """Seconds that attempts in flight get to finish at a shutdown."""

    # -- keys and trust ---------------------------------------------------------------------

    bootstrap_api_key: Annotated[
        str | None, Meta(description="24 to 255 visible ASCII characters")
    ] = None
    """Becomes the first API key when there is none; unset: one is made and printed once."""
    secret_key: Annotated[str | None, Meta(description="base64 of 32 bytes")] = None
    """Encrypts the signing secrets at rest; unset: `<database>.key`, made at the first start."""
    allowed_networks: tuple[
        Annotated[str, Meta(description="networks such as 10.0.0.0/8 or fd00::/8")], ...
    ] = ()
    """Internal networks that deliveries may go to all the same."""
    tls_ca_file: Annotated[str | None, Meta(description="the path of a PEM file")] = None
    """CA certificates that receivers are trusted by; unset: the system's."""
    auth_failures_per_minute: Annotated[int, Meta(ge=0, le=1_000_000)] = 60
    """Failed authentications a minute from one client address before it gets 429; 0 = no limit."""
    requests_per_minute: Annotated[int, Meta(ge=0, le=100_000_000)] = 0
    """API requests a minute of one project before it gets 429; 0 = no limit."""

    # -- what is accepted -------------------------------------------------------------------

    payload_bytes_max: Annotated[int, Meta(ge=1, le=67_108_864)] = 1_048_576
    """Bytes of one message's payload."""
    headers_count_max: Annotated[int, Meta(ge=0, le=1000)] = 50
    """Headers of one message, and of one endpoint."""
    headers_bytes_max: Annotated[int, Meta(ge=0, le=65_536)] = 8192
    """Bytes of those headers, names and values together."""
    pending_bytes_max: Annotated[int, Meta(ge=1, le=68_719_476_736)] = 268_435_456
    """Bytes of requests in memory, waiting to be stored; above it sends get 503."""

    inbox_bytes_max: Annotated[int, Meta(ge=1_048_576, le=1 << 50)] = 1_073_741_824
    """Bytes of messages from `mode="enqueue"` that wait for the process that delivers."""
    outboxes: tuple[
        Annotated[str, Meta(description="URLs like sqlite:///shop.db or postgresql://db/shop")], ...
    ] = ()
    """Databases of other programs whose outboxes are emptied; docs/embedding.md tells how."""
    outbox_poll_s: Annotated[float, Meta(ge=0.01, le=3600)] = 1
    """Seconds between two looks into each of them."""

    # -- what is kept -----------------------------------------------------------------------

    retention_succeeded_hours: Annotated[int, Meta(ge=0, le=876_000)] = 72
    """Hours that a payload is kept after its delivery, where `retention_hours` does not say."""
    retention_failed_hours: Annotated[int, Meta(ge=0, le=876_000)] = 720
    """Hours that a payload is kept after its message failed for good; replays need it."""
    history_days: Annotated[int, Meta(ge=1, le=3650)] = 90
    """Days that finished messages are kept with their attempts, and counts of all messages."""

    # -- exports ----------------------------------------------------------------------------

    exports_live_max: Annotated[int, Meta(ge=1, le=10_000)] = 100
    """Exports of one project that wait, are written or can be downloaded; more are refused."""
    exports_keep_days: Annotated[int, Meta(ge=1, le=3650)] = 7
    """Days that an export's file is kept; then it is removed."""
    exports_free_bytes_min: Annotated[int, Meta(ge=0, le=1 << 50)] = 67_108_864
    """Bytes that exports leave free on the disk; an export that needs them fails."""
    public_url: Annotated[
        str | None, Meta(description="an http or https URL without query and fragment")
    ] = None
    """Where clients reach the API, for download links; unset: where the request was sent to."""

    # -- retries ----------------------------------------------------------------------------

    attempts_max: Annotated[int, Meta(ge=1, le=1000)] = 8
    """Attempts of one message before it is dead; a replay begins to count anew."""
    retry_slow_s: Annotated[tuple[_DelayS, ...], Meta(min_length=1, max_length=100)] = (
        1800,
        7200,
        21600,
        43200,
        86400,
        172800,
        259200,
    )
    """Seconds before the first, second, … retry after anything but a 429; the last one repeats."""
    retry_fast_s: Annotated[tuple[_DelayS, ...], Meta(min_length=1, max_length=100)] = (
        30,
        60,
        120,
        240,
        300,
    )
    """Seconds before the first, second, … retry after a 429; the last one repeats."""
    retry_jitter: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """The part of a delay that chance may add to it."""
    retry_after_max_s: Annotated[int, Meta(ge=0, le=_YEAR_S)] = 86_400
    """Seconds that a receiver's `Retry-After` may ask for; more counts as this."""
    circuit_failures: Annotated[int, Meta(ge=0, le=1_000_000)] = 10
    """Retryable failures in a row before an endpoint gets one probe at a time; 0 = never."""
    circuit_pause_after_s: Annotated[int, Meta(ge=0, le=_YEAR_S)] = 432_000
    """Seconds of failures without one success before an endpoint is paused; 0 = never."""

    # -- attempts ---------------------------------------------------------------------------

    connect_timeout_s: _TimeoutS = 10
    """Seconds to connect, TLS included."""
    dns_timeout_s: _TimeoutS = 5
    """Seconds for one DNS look-up."""
    dns_threads: Annotated[int, Meta(ge=1, le=256)] = 32
    """DNS look-ups at once."""
    dns_cache_s: Annotated[float, Meta(ge=0, le=86_400)] = 30
    """Seconds that the answer to a look-up is used again."""
    response_read_bytes_max: Annotated[int, Meta(ge=0, le=16_777_216)] = 65_536
    """Bytes of a receiver's answer that are read."""
    response_keep_bytes_max: Annotated[int, Meta(ge=0, le=1_048_576)] = 4096
    """Bytes of them that are stored with the attempt."""
    attempts_listed_max: Annotated[int, Meta(ge=1, le=1000)] = 200
    """Attempts in one listing."""

    # -- actors -----------------------------------------------------------------------------

    in_flight_max: Annotated[int, Meta(ge=1, le=100_000)] = 512
    """Attempts in flight of all endpoints together that have taken less than a second so far."""
    in_flight_late_max: Annotated[int, Meta(ge=1, le=100_000)] = 2048
    """Attempts in flight beside them that take longer, or whose endpoint has been slow."""
    window: Annotated[int, Meta(ge=1, le=10_000)] = 64
    """Messages of one endpoint that are held in memory; the rest wait in the database."""
    window_payload_bytes_max: Annotated[int, Meta(ge=0, le=67_108_864)] = 32_768
    """Bytes up to which a waiting message's payload is in memory too; others are read when sent."""
    waiting_payloads_bytes_max: Annotated[int, Meta(ge=0, le=1_099_511_627_776)] = 67_108_864
    """Bytes of waiting messages' payloads that are held in memory, of all endpoints together."""
    mailbox_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 1000
    """Commands that wait at one endpoint; above it a command gets 503."""
    actor_idle_s: Annotated[float, Meta(ge=0, le=86_400)] = 60
    """Seconds after which an endpoint without work leaves memory."""
    actor_restarts_max: Annotated[int, Meta(ge=0, le=1000)] = 5
    """Crashes in a row after which an endpoint is parked and an alarm is logged."""

    def __post_init__(self) -> None:
        """Refuse what is not allowed.

        Raises:
            SettingError: names the setting, the value and what is allowed.
        """
        check_settings(self, secret=SECRET_SETTINGS)

    def __repr__(self) -> str:
        """Show every setting, the secret ones as `***`."""
        shown = ", ".join(f"{name}={value!r}" for name, value in self._shown())
        return f"Settings({shown})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Show the same to rich."""
        return list(self._shown())

    def _shown(self) -> Iterator[tuple[str, object]]:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            yield name, "***" if value and name in SECRET_SETTINGS else value
