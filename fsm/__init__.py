"""WHICH states does a request pass, and how does it survive a crash? Transitions, journal, recovery table."""
