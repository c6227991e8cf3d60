-- Exports, and the labels of API keys that were deleted.

-- Moments are milliseconds since the Unix epoch. The file of a completed export is beside the
-- database, named after its id.
CREATE TABLE exports (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    project_no INTEGER NOT NULL REFERENCES projects (no),
    status TEXT NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'expired')),
    filter_start_at_ms INTEGER NOT NULL,
    filter_end_at_ms INTEGER NOT NULL CHECK (filter_end_at_ms > filter_start_at_ms),
    filter_status TEXT,
    filter_endpoint_id TEXT, -- no reference: history may outlive the endpoint's row
    row_count INTEGER,
    file_size_bytes INTEGER,
    error_message TEXT,
    created_at_ms INTEGER NOT NULL,
    started_at_ms INTEGER,
    completed_at_ms INTEGER,
    expires_at_ms INTEGER,
    CHECK ((status = 'failed') = (error_message IS NOT NULL)),
    CHECK ((status = 'completed' OR status = 'expired') = (expires_at_ms IS NOT NULL))
) STRICT;

CREATE INDEX exports_listed ON exports (project_no, no);
-- OR, not IN, here and in the queries: IN would keep them off the indexes.
CREATE INDEX exports_live ON exports (project_no)
    WHERE status = 'pending' OR status = 'processing' OR status = 'completed';
CREATE INDEX exports_unfinished ON exports (status, no)
    WHERE status = 'pending' OR status = 'processing';
CREATE INDEX exports_completed ON exports (expires_at_ms) WHERE status = 'completed';
CREATE INDEX exports_over ON exports (created_at_ms) WHERE status = 'failed' OR status = 'expired';

-- What a deleted API key was called, so that "deleted by" can still be told. There is nothing in
-- it that a key could be recognised by.
CREATE TABLE former_api_keys (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    project_no INTEGER NOT NULL REFERENCES projects (no),
    label TEXT
) STRICT;

CREATE INDEX former_api_keys_by_project ON former_api_keys (project_no, no);
