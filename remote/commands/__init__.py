"""The commands of ``dunebugger-remote``, one module each."""
