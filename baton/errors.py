"""The one error that the command line shows to people."""


class OperatorError(Exception):
    """One clear sentence: what happened, where, what to do."""
