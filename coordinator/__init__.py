"""WHO joins them? The daemon and its command line."""
