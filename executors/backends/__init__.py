"""One module per executor; the configuration's ``execution.executor`` is a module's name here."""
