-- A request that a permission rule defers stays validated: it is not due before this running time of the coordinator
-- (seconds, as meta.uptime), for this reason.
ALTER TABLE requests ADD COLUMN due_uptime REAL;
ALTER TABLE requests ADD COLUMN deferred_at TEXT;
ALTER TABLE requests ADD COLUMN deferred_why TEXT;

DROP TRIGGER settled_requests_stay;
CREATE TRIGGER settled_requests_stay BEFORE UPDATE OF
    id, component, action, version, requested_at, received_at, state, reason, message, rollback_of, resumes,
    settled_at, settled_uptime, due_uptime, deferred_at, deferred_why
ON requests WHEN OLD.settled_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a settled request never changes');
END;

-- Unexpected errors while a request was driven. Their number is bounded: after it the request is settled as failed (I16).
CREATE TABLE failures (
    request_id TEXT NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
    at TEXT NOT NULL,
    error TEXT NOT NULL
);

CREATE INDEX failures_of ON failures (request_id);
