"""Checks of ``update-coordinator check``: each yields results, and a remedy for every bad one."""
