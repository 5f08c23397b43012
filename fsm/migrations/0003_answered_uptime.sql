-- Running time at the latest publication of an answer; retention counts from it. The settlement may be much earlier: the
-- request may have been submitted again, or its answer may have waited for a folder that could not be written.

ALTER TABLE requests ADD COLUMN answered_uptime REAL;

UPDATE requests SET answered_uptime = settled_uptime WHERE published = 1;

DROP INDEX prunable;
CREATE INDEX prunable ON requests (answered_uptime) WHERE published = 1;
