"""HOW does a script touch the world? Executors run scripts; ``executors.registry`` lists their backends."""
