-- When an answer was last put out, in the coordinator's running time: from then on it counts as unread, and its request
-- as history. When the request was settled says nothing about that: it may have been submitted again much later, or
-- its answer may have waited for a folder that could not be written.

ALTER TABLE requests ADD COLUMN answered_uptime REAL;

UPDATE requests SET answered_uptime = settled_uptime WHERE published = 1;

DROP INDEX prunable;
CREATE INDEX prunable ON requests (answered_uptime) WHERE published = 1;
