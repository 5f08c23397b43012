"""One module per command of ``update-coordinator``; each has ``execute`` and returns the exit code."""
