-- What a restarted coordinator found of an open attempt, and the recovery action (I3, I9).
-- An attempt may have several rows. They are deleted with their attempt, and so with their request.
CREATE TABLE resumptions (
    request_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    at TEXT NOT NULL,
    trace TEXT NOT NULL,
    resumption TEXT NOT NULL,
    FOREIGN KEY (request_id, number) REFERENCES attempts (request_id, number) ON DELETE CASCADE
);

CREATE INDEX resumptions_of ON resumptions (request_id, number);
