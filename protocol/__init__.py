"""WHAT do both sides say? Messages, names that are safe as paths, the spool."""
