"""Health: whether each component runs, as known from heartbeats, health checks and updates."""
