"""MAY it run, and when? Pure rules: no I/O, facts and now are arguments."""
