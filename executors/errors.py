"""What can go wrong in executors; every message says what was found and what to do about it."""


class ExecutorError(Exception):
    """Root of the package's errors."""


class CannotStartError(ExecutorError):
    """Nothing was started and nothing will be: the machine is short of something, or the attempt is not new."""


class UnknownExecutorError(ExecutorError):
    """The configuration names an executor that does not exist: its author's fault."""


class UnsuitableHostError(ExecutorError):
    """The configuration names an executor that this host cannot serve: its author's fault."""
