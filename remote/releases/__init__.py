"""WHICH releases are there? Asks GitHub, politely, and remembers the last good answer."""
