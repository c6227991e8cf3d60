-- Messages that came out of an outbox and may still be in it: they must not be stored again,
-- whatever became of them here. Forgotten as soon as their outbox has let go of them.
CREATE TABLE relayed (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    outbox_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX relayed_by_outbox ON relayed (outbox_id);
