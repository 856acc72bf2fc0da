"""`python -m baton.contracts`: write the generated files. A breaking change is refused, and says in which order it can be made.

--check            write nothing; fail where a file is not what the models say
--accept-breaking  write all the same: the order was kept, or nothing was ever deployed
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from baton.contracts import GENERATED, ROOT, committed, files, schemas
from baton.contracts.gate import Change, changes


def drifted(root: Path = ROOT) -> list[str]:
    """Generated files below `root` that are not what the models say, or that nothing generates any more."""
    wanted = files()
    stale = [str(p.relative_to(root)) for p in sorted((root / GENERATED).rglob("*.json"))]
    wrong = [name for name, text in wanted.items() if not _same(root / name, text)]
    return wrong + [name for name in stale if name not in wanted]


def contract_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """All changes between two sets of schemas; a contract that is gone is one as well."""
    gone = [
        Change(name, "the contract was removed", "consumers first: nobody may read it any more")
        for name in sorted(old.keys() - new.keys())
    ]
    return gone + [change for name in sorted(old.keys() & new.keys()) for change in changes(name, old[name], new[name])]


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    known = {"--check", "--accept-breaking"}
    if unknown := set(arguments) - known:
        print(f"unknown option {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    found = contract_changes(committed(root), schemas())
    for change in found:
        print(change)
    if "--check" in arguments:
        for name in drifted(root):
            print(f"{name} is not what the models say: run `python -m baton.contracts`")
        return 1 if drifted(root) or any(change.breaking for change in found) else 0
    if any(change.breaking for change in found) and "--accept-breaking" not in arguments:
        print("nothing was written: a change breaks readers or records that exist (see above)")
        return 1
    _write(root)
    return 0


def _write(root: Path) -> None:
    wanted = files()
    for name in drifted(root):
        path = root / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name])
            print(f"wrote {name}")
        else:
            path.unlink()
            print(f"removed {name}")


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
