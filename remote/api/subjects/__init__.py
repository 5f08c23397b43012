"""What a client may ask: a file per subject, with ``SUBJECT`` and ``handle``."""
