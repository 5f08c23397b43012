"""WHAT is an update's life, and how does it survive? States, table of moves, journal, recovery table."""
