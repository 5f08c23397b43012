"""Installed versions: which version of each component runs on this device."""
