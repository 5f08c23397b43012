"""HOW does a step touch the world? Scripts through ``sh``, dry run; an executor is one file in ``kinds/``."""
