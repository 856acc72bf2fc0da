"""The one error that the stack shows to people."""


class StackError(Exception):
    """One clear sentence: what happened, where, what to do."""
