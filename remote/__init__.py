"""The container side: submits updates for its users, and shows their results."""
