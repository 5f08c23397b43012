"""One module per source of a version, each with ``read``; a component's ``installed`` is a module's name here."""
