-- What a coordinator that was started again found of a script whose end nobody had seen, and what it decided (I3, I9).
-- A script may be found more than once. Rows leave with their attempt, and so with their request.
CREATE TABLE resumptions (
    request_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    at TEXT NOT NULL,
    trace TEXT NOT NULL,
    resumption TEXT NOT NULL,
    FOREIGN KEY (request_id, number) REFERENCES attempts (request_id, number) ON DELETE CASCADE
);

CREATE INDEX resumptions_of ON resumptions (request_id, number);
