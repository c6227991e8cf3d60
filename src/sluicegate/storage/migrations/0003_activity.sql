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

-- What is stored already is counted row by row (a GROUP BY would sort all of it in memory), and
-- packed as it would be by the time of the newest message.
CREATE TEMP TABLE edges AS
SELECT newest - 120 - (newest - 120) % 15 AS quarters, newest - 1500 - (newest - 1500) % 60 AS hours,
    newest - 11520 - (newest - 11520) % 360 AS six_hours
FROM (SELECT accepted_at_ms / 60000 AS newest FROM messages ORDER BY seq DESC LIMIT 1);

INSERT INTO activity
SELECT minute - minute % CASE WHEN minute < six_hours THEN 360 WHEN minute < hours THEN 60
        WHEN minute < quarters THEN 15 ELSE 1 END,
    project_no, endpoint_no, 1, 0, 0, 0, 0, 0
FROM (SELECT accepted_at_ms / 60000 AS minute, project_no, endpoint_no FROM messages)
CROSS JOIN edges WHERE true
ON CONFLICT DO UPDATE SET accepted = accepted + 1;

INSERT INTO activity
SELECT minute - minute % CASE WHEN minute < six_hours THEN 360 WHEN minute < hours THEN 60
        WHEN minute < quarters THEN 15 ELSE 1 END,
    project_no, endpoint_no, 0, retry_type IS NULL AND delivered,
    retry_type IS NULL AND NOT delivered, retry_type IS NOT NULL,
    response_latency_ms IS NOT NULL, coalesce(response_latency_ms, 0)
FROM (
    SELECT (a.started_at_ms + a.processing_ms) / 60000 AS minute, m.project_no, m.endpoint_no,
        a.retry_type, a.response_latency_ms,
        coalesce(a.response_status BETWEEN 200 AND 299, 0) AS delivered
    FROM attempts a CROSS JOIN messages m ON m.seq = a.seq
)
CROSS JOIN edges WHERE true
ON CONFLICT DO UPDATE SET succeeded = succeeded + excluded.succeeded,
    failed = failed + excluded.failed, retried = retried + excluded.retried,
    answered = answered + excluded.answered, latency_ms = latency_ms + excluded.latency_ms;

DROP TABLE temp.edges;

INSERT INTO activity
SELECT minute, project_no, 0, sum(accepted), sum(succeeded), sum(failed), sum(retried),
    sum(answered), sum(latency_ms)
FROM activity GROUP BY minute, project_no;

INSERT INTO usage_months
SELECT project_no, strftime('%Y-%m', minute * 60, 'unixepoch'), sum(accepted)
FROM activity WHERE endpoint_no = 0 AND accepted > 0 GROUP BY 1, 2;
