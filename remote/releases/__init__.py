"""Releases: the newest published version of each component, polled from GitHub and kept across restarts."""
