"""Policies, from files into force: `check` reads and judges them, `apply` stores and publishes them, `show` finds one."""

from baton.policies.problems import PolicyErrors, Problem
from baton.policies.reading import PolicySet, read
from baton.policies.reading import read_all as check
from baton.policies.store import Applied, NoVersionError, Report, Stored, apply, in_force, preview, show

__all__ = [
    "Applied",
    "NoVersionError",
    "PolicyErrors",
    "PolicySet",
    "Problem",
    "Report",
    "Stored",
    "apply",
    "check",
    "in_force",
    "preview",
    "read",
    "show",
]
