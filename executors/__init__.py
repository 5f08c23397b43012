"""HOW does a script run? Executors run scripts; ``executors.registry`` lists their backends."""
