"""One module per source of a version, with ``NEEDS`` and ``read``; ``installed`` in the configuration names one."""
