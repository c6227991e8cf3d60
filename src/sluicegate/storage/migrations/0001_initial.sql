-- The first schema.
--
-- Moments are milliseconds since the Unix epoch. A message's status is one of
-- sluicegate.engine.lifecycle.STORED; "delivering" and "paused" are derived by readers.

-- One row: who owns the file, and whether the secret key is the right one.
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    secret_check BLOB
) STRICT;

INSERT INTO meta (id, epoch) VALUES (1, 0);

CREATE TABLE projects (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    project_no INTEGER NOT NULL REFERENCES projects (no),
    key_sha256 BLOB NOT NULL UNIQUE CHECK (length(key_sha256) = 32),
    prefix TEXT NOT NULL,
    label TEXT,
    created_at_ms INTEGER NOT NULL,
    last_used_at_ms INTEGER
) STRICT;

CREATE INDEX api_keys_by_project ON api_keys (project_no, no);

CREATE TABLE endpoints (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    project_no INTEGER NOT NULL REFERENCES projects (no),
    shard INTEGER NOT NULL CHECK (shard BETWEEN 0 AND 4095),
    url TEXT NOT NULL,
    description TEXT,
    rate_limit_rps INTEGER NOT NULL,
    burst INTEGER NOT NULL,
    headers TEXT,
    ordered INTEGER NOT NULL CHECK (ordered IN (0, 1)),
    max_in_flight INTEGER NOT NULL,
    timeout_s REAL NOT NULL,
    paused_at_ms INTEGER,
    pause_reason TEXT CHECK (pause_reason IN ('manual', 'gone', 'failing')),
    release_no INTEGER NOT NULL DEFAULT 0,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    deleted_at_ms INTEGER,
    CHECK ((paused_at_ms IS NULL) = (pause_reason IS NULL))
) STRICT;

CREATE UNIQUE INDEX endpoints_by_url ON endpoints (project_no, url) WHERE deleted_at_ms IS NULL;
CREATE INDEX endpoints_listed ON endpoints (project_no, no) WHERE deleted_at_ms IS NULL;
CREATE INDEX endpoints_deleted ON endpoints (project_no, no) WHERE deleted_at_ms IS NOT NULL;
CREATE INDEX endpoints_paused ON endpoints (project_no, no) WHERE paused_at_ms IS NOT NULL;

-- What changes with every message, apart from the wide configuration so that a counter costs
-- one short row. The counts are those of the endpoint's messages by stored status.
CREATE TABLE endpoint_loads (
    endpoint_no INTEGER PRIMARY KEY REFERENCES endpoints (no),
    queued_count INTEGER NOT NULL DEFAULT 0 CHECK (queued_count >= 0),
    pending_retry_count INTEGER NOT NULL DEFAULT 0 CHECK (pending_retry_count >= 0),
    failed_count INTEGER NOT NULL DEFAULT 0 CHECK (failed_count >= 0),
    consecutive_failures INTEGER NOT NULL DEFAULT 0,
    failing_since_ms INTEGER
) STRICT;

CREATE TABLE signing_keys (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    endpoint_no INTEGER NOT NULL REFERENCES endpoints (no),
    secret BLOB NOT NULL,
    key_hint TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX signing_keys_by_endpoint ON signing_keys (endpoint_no, no);

CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    project_no INTEGER NOT NULL,
    endpoint_no INTEGER NOT NULL REFERENCES endpoints (no),
    status TEXT NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'pending_retry', 'succeeded', 'failed_permanent')),
    accepted_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    attempt_count INTEGER NOT NULL DEFAULT 0,
    cycle_attempts INTEGER NOT NULL DEFAULT 0,
    fast_retries INTEGER NOT NULL DEFAULT 0,
    replay_count INTEGER NOT NULL DEFAULT 0,
    release_no INTEGER NOT NULL DEFAULT 0,
    next_attempt_at_ms INTEGER,
    retry_type TEXT CHECK (retry_type IN ('fast', 'slow')),
    size_bytes INTEGER NOT NULL,
    payload_sha256 BLOB NOT NULL CHECK (length(payload_sha256) = 32),
    headers TEXT,
    idempotency_key TEXT,
    retention_hours INTEGER,
    first_attempt_at_ms INTEGER,
    delivered_at_ms INTEGER,
    response_status INTEGER,
    response_latency_ms INTEGER,
    last_error TEXT,
    deleted_at_ms INTEGER,
    deleted_by TEXT,
    CHECK ((status = 'pending_retry') = (next_attempt_at_ms IS NOT NULL)),
    CHECK (deleted_at_ms IS NULL OR status NOT IN ('queued', 'pending_retry'))
) STRICT;

-- The delivery loop.
CREATE INDEX messages_queued ON messages (endpoint_no, seq) WHERE status = 'queued';
CREATE INDEX messages_retry_due ON messages (endpoint_no, next_attempt_at_ms, seq)
    WHERE status = 'pending_retry';
CREATE INDEX messages_retry_in_order ON messages (endpoint_no, seq, release_no)
    WHERE status = 'pending_retry';

-- A deleted message gives its key back.
CREATE UNIQUE INDEX messages_by_idempotency_key ON messages (endpoint_no, idempotency_key)
    WHERE idempotency_key IS NOT NULL AND deleted_at_ms IS NULL;

-- The log. An endpoint's waiting messages are listed by the delivery loop's indexes.
CREATE INDEX messages_by_status ON messages (project_no, status, seq);
CREATE INDEX messages_finished ON messages (endpoint_no, status, seq)
    WHERE status = 'succeeded' OR status = 'failed_permanent'; -- IN would keep queries off it

-- Which part of the log a span of time is in: the first and last message accepted in each
-- minute of wall time. A clock that jumps back only widens the parts.
CREATE TABLE accepted_minutes (
    minute INTEGER PRIMARY KEY,
    seq_first INTEGER NOT NULL,
    seq_last INTEGER NOT NULL
) STRICT;

-- Apart from messages, so that a status change never rewrites a payload.
CREATE TABLE payloads (
    seq INTEGER PRIMARY KEY REFERENCES messages (seq),
    body BLOB NOT NULL
) STRICT;

CREATE TABLE attempts (
    no INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL REFERENCES messages (seq),
    attempt_no INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    started_at_ms INTEGER NOT NULL,
    processing_ms INTEGER NOT NULL,
    response_status INTEGER,
    response_latency_ms INTEGER,
    error_text TEXT,
    retry_type TEXT CHECK (retry_type IN ('fast', 'slow')),
    retry_after_s INTEGER,
    resolved_ip TEXT,
    request_headers TEXT,
    response_headers TEXT,
    dns_us INTEGER,
    tcp_connect_us INTEGER,
    tls_handshake_us INTEGER,
    ttfb_us INTEGER,
    transfer_us INTEGER,
    conn_reused INTEGER NOT NULL,
    response_body BLOB,
    response_body_truncated INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX attempts_by_message ON attempts (seq, attempt_no);
