"""Every setting, with its default, its bounds and what it is for."""

from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["Settings"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set. Each field is also `SLUICEGATE_<NAME>` and a key of a TOML file.

    Raises:
        SettingError: a value that is not allowed; the message names setting, value and what is.
    """

    database: str = "./sluicegate.db"
    dev: bool = False
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8400
    secret_key: str | None = None
    bootstrap_api_key: str | None = None
    allowed_networks: tuple[str, ...] = ()
    tls_ca_file: str | None = None
    retry_slow_s: tuple[float, ...] = (1800, 7200, 21600, 43200, 86400, 172800, 259200)
    retry_fast_s: tuple[float, ...] = (30, 60, 120, 240, 300)
    retry_jitter: float = 0.1
    retry_after_max_s: int = 86400
    attempts_max: int = 8
    circuit_failures: int = 10
    circuit_pause_after_s: int = 432000
    payload_bytes_max: int = 1048576
    headers_count_max: int = 50
    headers_bytes_max: int = 8192
    in_flight_max: int = 512
    window: int = 64
    window_payload_bytes_max: int = 4096
    mailbox_max: int = 1000
    response_read_bytes_max: int = 65536
    response_keep_bytes_max: int = 4096
    connect_timeout_s: float = 10
    dns_timeout_s: float = 5
    dns_threads: int = 32
    dns_cache_s: float = 30
    actor_idle_s: float = 60
    actor_restarts_max: int = 5
    drain_s: float = 30
    attempts_listed_max: int = 200
    pending_bytes_max: int = 268435456
    requests_per_minute: int = 0
    auth_failures_per_minute: int = 60
    log_level: str = "info"
    log_format: str = "auto"
