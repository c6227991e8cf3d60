-- What was accepted and attempted, counted by the minute: sluicegate.engine.activity.

-- A project's row of a minute has endpoint_no 0, its endpoints' rows have theirs. A row may speak
-- for more than its minute: what is old is packed into the row of the first minute of a quarter
-- of an hour, an hour, six hours. Minutes come first, so that what one transaction counts for a
-- thousand endpoints is on a few neighbouring pages, and what is old is in front.
CREATE TABLE activity (
    minute INTEGER NOT NULL,
    project_no INTEGER NOT NULL,
    endpoint_no INTEGER NOT NULL,
    accepted INTEGER NOT NULL CHECK (accepted >= 0),
    succeeded INTEGER NOT NULL CHECK (succeeded >= 0),
    failed INTEGER NOT NULL CHECK (failed >= 0),
    retried INTEGER NOT NULL CHECK (retried >= 0),
    answered INTEGER NOT NULL CHECK (answered >= 0),
    latency_ms INTEGER NOT NULL CHECK (latency_ms >= 0),
    PRIMARY KEY (minute, project_no, endpoint_no)
) STRICT, WITHOUT ROWID;

-- Messages accepted in a calendar month (UTC), as '2026-04'; kept as long as the project.
CREATE TABLE usage_months (
    project_no INTEGER NOT NULL REFERENCES projects (no),
    month TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]'),
    accepted INTEGER NOT NULL CHECK (accepted >= 0),
    PRIMARY KEY (project_no, month)
) STRICT, WITHOUT ROWID;

-- What is stored already, row by row: a GROUP BY would sort all of it in memory.
INSERT INTO activity
SELECT accepted_at_ms / 60000, project_no, endpoint_no, 1, 0, 0, 0, 0, 0
FROM messages WHERE true
ON CONFLICT DO UPDATE SET accepted = accepted + 1;

INSERT INTO activity
SELECT (a.started_at_ms + a.processing_ms) / 60000, m.project_no, m.endpoint_no, 0,
    a.retry_type IS NULL AND coalesce(a.response_status BETWEEN 200 AND 299, 0),
    a.retry_type IS NULL AND NOT coalesce(a.response_status BETWEEN 200 AND 299, 0),
    a.retry_type IS NOT NULL, a.response_latency_ms IS NOT NULL, coalesce(a.response_latency_ms, 0)
FROM attempts a CROSS JOIN messages m ON m.seq = a.seq WHERE true
ON CONFLICT DO UPDATE SET succeeded = succeeded + excluded.succeeded,
    failed = failed + excluded.failed, retried = retried + excluded.retried,
    answered = answered + excluded.answered, latency_ms = latency_ms + excluded.latency_ms;

INSERT INTO activity
SELECT minute, project_no, 0, sum(accepted), sum(succeeded), sum(failed), sum(retried),
    sum(answered), sum(latency_ms)
FROM activity GROUP BY minute, project_no;

INSERT INTO usage_months
SELECT project_no, strftime('%Y-%m', minute * 60, 'unixepoch'), sum(accepted)
FROM activity WHERE endpoint_no = 0 AND accepted > 0 GROUP BY 1, 2;
