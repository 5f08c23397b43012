"""WHAT do both sides exchange? Messages, names that are safe as paths, the spool."""
