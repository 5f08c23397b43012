"""The executor backends, one per module, as listed in ``executors.registry``."""
