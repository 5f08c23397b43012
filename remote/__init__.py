"""The container side: asks for updates on behalf of people, and tells them what became of it."""
