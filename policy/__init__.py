"""MAY it run, and when? Pure judges: no I/O, and now is an argument."""
