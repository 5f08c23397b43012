-- The journal of the update coordinator. Migrations are numbered and append-only; user_version counts them.
-- The database enforces the transitions as well (I4).

-- A copy of fsm/transition_table.py, synchronized at every opening. A move that a release drops is kept, because history
-- refers to it, but is no longer legal.
CREATE TABLE moves (
    event TEXT NOT NULL,
    source TEXT NOT NULL,
    dest TEXT NOT NULL,
    legal INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (event, source, dest)
) WITHOUT ROWID;

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('uptime', 0.0);

CREATE TABLE requests (
    id TEXT NOT NULL PRIMARY KEY,
    component TEXT,
    action TEXT,
    version TEXT,
    requested_at TEXT,
    received_at TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    message TEXT NOT NULL DEFAULT '',
    rollback_of TEXT,
    resumes INTEGER NOT NULL DEFAULT 0,
    settled_at TEXT,
    settled_uptime REAL,
    published INTEGER NOT NULL DEFAULT 0,
    CHECK (settled_at IS NULL OR state IN ('succeeded', 'failed', 'rolled_back')),
    CHECK ((settled_at IS NULL) = (settled_uptime IS NULL)),
    CHECK (published = 0 OR settled_at IS NOT NULL)
);

CREATE INDEX begun ON requests (component) WHERE settled_at IS NULL AND state IN ('running', 'failed');
CREATE INDEX due ON requests (component) WHERE settled_at IS NULL;
CREATE INDEX unpublished ON requests (published) WHERE settled_at IS NOT NULL AND published = 0;
CREATE INDEX prunable ON requests (settled_uptime) WHERE published = 1;
CREATE INDEX history ON requests (component);
CREATE INDEX updates ON requests (component) WHERE action = 'update';
CREATE INDEX undone ON requests (rollback_of) WHERE rollback_of IS NOT NULL;

CREATE TABLE transitions (
    request_id TEXT NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    source TEXT NOT NULL,
    dest TEXT NOT NULL,
    at TEXT NOT NULL,
    reason TEXT,
    message TEXT NOT NULL,
    FOREIGN KEY (event, source, dest) REFERENCES moves
);

CREATE INDEX transitions_of ON transitions (request_id);

CREATE TABLE attempts (
    request_id TEXT NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    script TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    started_at TEXT NOT NULL,
    started_monotonic REAL NOT NULL,
    pid INTEGER,
    start_ticks INTEGER,
    ended_at TEXT,
    seconds REAL,
    ending TEXT,
    exit_code INTEGER,
    output TEXT NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (request_id, number)
);

-- Never two scripts at once for one request (I3).
CREATE UNIQUE INDEX one_open_attempt ON attempts (request_id) WHERE ending IS NULL;

CREATE TRIGGER life_begins_received BEFORE INSERT ON requests
WHEN NEW.state <> 'received' OR NEW.settled_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a request enters as received and unsettled');
END;

CREATE TRIGGER transition_is_legal BEFORE INSERT ON transitions
BEGIN
    SELECT RAISE(ABORT, 'the request is not unsettled in the state this transition starts from')
    WHERE NOT EXISTS (
        SELECT 1 FROM requests WHERE id = NEW.request_id AND state = NEW.source AND settled_at IS NULL
    );
    SELECT RAISE(ABORT, 'the table of moves has no such transition')
    WHERE NOT EXISTS (
        SELECT 1 FROM moves WHERE event = NEW.event AND source = NEW.source AND dest = NEW.dest AND legal = 1
    );
END;

CREATE TRIGGER transition_is_applied AFTER INSERT ON transitions
BEGIN
    UPDATE requests SET state = NEW.dest WHERE id = NEW.request_id;
END;

-- The latest recorded transition must be exactly this change: a state never changes without its history.
CREATE TRIGGER state_follows_transitions BEFORE UPDATE OF state ON requests
WHEN (OLD.state, NEW.state) IS NOT (
    SELECT source, dest FROM transitions WHERE request_id = OLD.id ORDER BY rowid DESC LIMIT 1
)
BEGIN
    SELECT RAISE(ABORT, 'a state changes only by a transition');
END;

CREATE TRIGGER settled_requests_stay BEFORE UPDATE OF
    id, component, action, version, requested_at, received_at, state, reason, message, rollback_of, resumes,
    settled_at, settled_uptime
ON requests WHEN OLD.settled_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a settled request never changes');
END;

CREATE TRIGGER unsettled_requests_stay BEFORE DELETE ON requests
WHEN OLD.published = 0
BEGIN
    SELECT RAISE(ABORT, 'a request without a published answer is not forgotten');
END;

CREATE TRIGGER transitions_stay BEFORE UPDATE ON transitions
BEGIN
    SELECT RAISE(ABORT, 'history is not rewritten');
END;

-- Deleting a request deletes its rows; the request itself is deleted first.
CREATE TRIGGER transitions_leave_with_their_request BEFORE DELETE ON transitions
WHEN EXISTS (SELECT 1 FROM requests WHERE id = OLD.request_id)
BEGIN
    SELECT RAISE(ABORT, 'transitions leave only with their request');
END;

CREATE TRIGGER attempts_leave_with_their_request BEFORE DELETE ON attempts
WHEN EXISTS (SELECT 1 FROM requests WHERE id = OLD.request_id)
BEGIN
    SELECT RAISE(ABORT, 'attempts leave only with their request');
END;

CREATE TRIGGER attempts_begin_unsettled BEFORE INSERT ON attempts
WHEN NOT EXISTS (SELECT 1 FROM requests WHERE id = NEW.request_id AND settled_at IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'no script starts for a settled or unknown request');
END;

CREATE TRIGGER ended_attempts_stay BEFORE UPDATE ON attempts
WHEN OLD.ending IS NOT NULL
    OR EXISTS (SELECT 1 FROM requests WHERE id = OLD.request_id AND settled_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'an attempt that is over never changes');
END;
