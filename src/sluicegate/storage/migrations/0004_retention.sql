-- Retention: what is removed when it has been finished for long enough.

-- What decides how long a finished message is kept: -3 the setting for failed ones, -2 the setting
-- for succeeded ones, 0 and more its own `retention_hours`; -1 its payload is gone already, and the
-- rest goes with the history. The moments themselves are not stored: settings may change.
ALTER TABLE messages ADD COLUMN retention_class INTEGER GENERATED ALWAYS AS (
    CASE
        WHEN status IN ('queued', 'pending_retry') THEN NULL
        WHEN payload_removed_at_ms IS NOT NULL THEN -1
        WHEN status = 'failed_permanent' THEN -3
        ELSE coalesce(retention_hours, -2)
    END
) VIRTUAL;

-- Each class in the order in which its messages finished: one entry for a finished message.
CREATE INDEX messages_by_retention ON messages (retention_class, updated_at_ms)
    WHERE retention_class IS NOT NULL;
