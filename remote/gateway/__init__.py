"""HOW does a request reach the host? Submission through the shared folder, and following until the answer."""
