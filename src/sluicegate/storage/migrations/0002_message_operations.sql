-- Replays, cancels and deletes.

-- When retention (or a delete) took the payload; `payloads` has no row any more.
ALTER TABLE messages ADD COLUMN payload_removed_at_ms INTEGER;

UPDATE messages SET payload_removed_at_ms = coalesce(delivered_at_ms, updated_at_ms)
WHERE status = 'succeeded' AND retention_hours = 0;

-- Deleted messages stay listed, apart from the others: so what is left to delete, and the dead
-- letter queue, are found without walking over a million deleted ones.
DROP INDEX messages_by_status;
CREATE INDEX messages_by_status ON messages (project_no, status, (deleted_at_ms IS NULL), seq);
DROP INDEX messages_finished;
CREATE INDEX messages_finished ON messages (endpoint_no, status, (deleted_at_ms IS NULL), seq)
    WHERE status = 'succeeded' OR status = 'failed_permanent'; -- IN would keep queries off it

-- What can be replayed out of the dead letter queue.
CREATE INDEX messages_replayable ON messages (endpoint_no, seq)
    WHERE status = 'failed_permanent' AND payload_removed_at_ms IS NULL;
