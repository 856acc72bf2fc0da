"""What is wrong or doubtful in policies, found before they come into force: all that `baton.policies` refuses, and what only
reasoning about conditions, caps and teams shows."""

from baton.lint.linting import lint, refuse

__all__ = ["lint", "refuse"]
