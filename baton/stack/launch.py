"""Runs in the child, between fork and exec: takes its rights, asks to die with its parent, becomes the server.

    python -I -S launch.py PARENT DEATH_SIGNAL RIGHTS COMMAND...

RIGHTS is `same`, `namespace` (root becomes uid 1000 of a new user namespace: no account is made, no file changes its owner)
or `nobody`. COMMAND begins with a path. A program of its own, and not a `preexec_fn`, because Python code between fork and
exec may deadlock once threads exist. It imports nothing of Baton.
"""

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
NOBODY = 65534


def enter_namespace() -> None:
    """Become uid and gid 1000 of a new user namespace in which root's files belong to that user. Raises OSError if forbidden."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are forbidden here")
    for file, text in (("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", "1000 0 1")):
        with open(f"/proc/self/{file}", "w") as out:
            out.write(text)


def become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def die_with(parent: int, signal: int) -> None:
    """Have the kernel send `signal` to this process when `parent` ends. Linux only; elsewhere nothing."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked
        sys.exit(1)


def main(arguments: list[str]) -> None:
    parent, signal, rights, *command = arguments
    if rights == "namespace":
        enter_namespace()
    elif rights == "nobody":
        become_nobody()
    die_with(int(parent), int(signal))  # after the rights: a change of credentials clears the request
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
