"""WHAT connects them? The daemon and its command line."""
