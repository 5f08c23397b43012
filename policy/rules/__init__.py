"""One module per judge, each with a ``judge`` of its own; adding a file adds a judge."""
