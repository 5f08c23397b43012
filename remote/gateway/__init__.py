"""HOW is the host asked? Requests through the shared folder, and what is remembered of them."""
