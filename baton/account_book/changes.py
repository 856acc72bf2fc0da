"""What an import would change: families checked, everything compared with what is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from baton.account_book.reading import Read
from baton.importing.plan import Refused
from services.router.domain.account import Account
from services.router.domain.matching.keys import Key, keys_of
from shared.schemas.accounts import LEVELS

FIELDS = tuple(field.name for field in fields(Account))
DERIVED = ("root", "entity")
Deal = tuple[str, str, int]  # partner, account, protected until (ms)


@dataclass(frozen=True, slots=True)
class Changed:
    """An account that would be another, and its fields that would: name -> before, after."""

    after: Account
    fields: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Changes:
    """new, changed: to be written;  moved: accounts that the file does not name, whose family changed;  same: as they were"""

    new: tuple[Account, ...]
    changed: tuple[Changed, ...]
    moved: tuple[Account, ...]
    same: int
    refused: tuple[Refused, ...]
    keys: Mapping[str, frozenset[Key]]

    @property
    def to_write(self) -> list[Account]:
        return [*self.new, *(one.after for one in self.changed), *self.moved]


def of_accounts(read: Read, known: Mapping[str, Account]) -> Changes:
    """What the file would change of `known`. A column that it lacks leaves what is known; an empty cell takes it away."""
    said = {values["account_id"]: number for number, values in read.rows.items()}
    merged: dict[str, Account] = dict(known)
    for values in read.rows.values():
        merged[values["account_id"]] = _merge(values, known.get(values["account_id"]))
    _inherit_kinds(read, known, merged)
    refused: dict[int, tuple[str, str]] = {}
    while wrong := _wrong(merged, said, refused):
        refused |= wrong
        for number in wrong:
            account_id = read.rows[number]["account_id"]
            if account_id in known:
                merged[account_id] = known[account_id]
            else:
                merged.pop(account_id, None)
    placed = {account_id: _placed(account, merged) for account_id, account in merged.items()}
    new, changed, moved, same = [], [], [], 0
    for account_id, account in placed.items():
        before = known.get(account_id)
        differing = _differing(before, account) if before else {}
        if before is None:
            new.append(account)
        elif differing and account_id in said:
            changed.append(Changed(account, differing))
        elif before != account:
            moved.append(account)
        elif account_id in said and said[account_id] not in refused:
            same += 1
    touched = {one.account_id for one in (*new, *(each.after for each in changed), *moved)}
    renamed = touched | {
        one.account_id for one in placed.values() if one.parent in touched
    }  # sites are found by their firm's name
    keys = {one: keys_of(placed[one], placed.get(placed[one].parent or "")) for one in sorted(renamed)}
    faults = [Refused(read.row(number), code, reason) for number, (code, reason) in refused.items()]
    return Changes(tuple(new), tuple(changed), tuple(moved), same, (*read.refused, *faults), keys)


def _merge(values: Mapping[str, Any], before: Account | None) -> Account:
    given = {name: value for name, value in values.items() if value is not None or name not in ("kind", "level")}
    account = replace(before, **given) if before else Account(**given)
    if account.country is None and ((account.area or "").startswith("JP-") or account.corporate_number):
        account = replace(account, country="JP")
    return account


def _inherit_kinds(read: Read, known: Mapping[str, Account], merged: dict[str, Account]) -> None:
    """A new account of which the file does not say what it is, is what the one above it is."""
    for _ in LEVELS:
        for values in read.rows.values():
            account = merged[values["account_id"]]
            above = merged.get(account.parent or "")
            if above and account.account_id not in known and values.get("kind") is None:
                merged[account.account_id] = replace(account, kind=above.kind)


def _wrong(
    merged: Mapping[str, Account], said: Mapping[str, int], refused: Mapping[int, object]
) -> dict[int, tuple[str, str]]:
    """Rows whose account does not fit among the others: number -> code and reason."""
    numbers: dict[str, str] = {}
    found: dict[int, tuple[str, str]] = {}
    for account_id, account in sorted(merged.items(), key=lambda item: (item[0] in said, item[0])):
        fault = _fault(account, merged)
        if fault is None and account.corporate_number:
            other = numbers.setdefault(account.corporate_number, account_id)
            if other != account_id:
                fault = ("corporate_number_taken", f"{account.corporate_number} is the number of `{other}`")
        if fault and account_id in said and said[account_id] not in refused:
            found[said[account_id]] = fault
    return found


def _fault(account: Account, merged: Mapping[str, Account]) -> tuple[str, str] | None:
    if account.parent is None:
        if account.level == "site":
            return "site_without_parent", "a site belongs to a legal entity or group: name it as `parent`"
        return None
    parent = merged.get(account.parent)
    if parent is None:
        return "unknown_parent", f"there is no account `{account.parent}`, in this file or before"
    if LEVELS.index(parent.level) >= LEVELS.index(account.level):  # and so no account is above itself
        return "wrong_level", f"a {account.level} cannot belong to `{parent.account_id}`, which is a {parent.level}"
    return None


def _placed(account: Account, merged: Mapping[str, Account]) -> Account:
    """The account with the root and the legal entity of its family."""
    chain = [account]
    while (above := merged.get(chain[-1].parent or "")) is not None:
        chain.append(above)
    entity = next((one.account_id for one in chain if one.level == "legal_entity"), account.account_id)
    return replace(account, root=chain[-1].account_id, entity=entity)


def _differing(before: Account, after: Account) -> dict[str, tuple[Any, Any]]:
    return {
        name: (getattr(before, name), getattr(after, name))
        for name in FIELDS
        if name not in DERIVED and getattr(before, name) != getattr(after, name)
    }


@dataclass(frozen=True, slots=True)
class DealChanges:
    """Registrations to be written: id -> what it says, and what it said before."""

    new: Mapping[str, Deal]
    changed: Mapping[str, tuple[Deal, Deal]]
    same: int
    refused: tuple[Refused, ...]

    @property
    def to_write(self) -> dict[str, Deal]:
        return {**self.new, **{one: after for one, (_, after) in self.changed.items()}}


def of_deals(read: Read, accounts: Mapping[str, Account], known: Mapping[str, Deal]) -> DealChanges:
    """What the file would change of the registrations in `known`."""
    new, changed, refused, same = {}, {}, list(read.refused), 0
    for number, values in read.rows.items():
        fault = _deal_fault(values, accounts)
        if fault:
            refused.append(Refused(read.row(number), *fault))
            continue
        said = (values["partner"], values["account_id"], values["protected_until"])
        before = known.get(values["registration_id"])
        if before is None:
            new[values["registration_id"]] = said
        elif before != said:
            changed[values["registration_id"]] = (before, said)
        else:
            same += 1
    return DealChanges(new, changed, same, tuple(refused))


def _deal_fault(values: Mapping[str, Any], accounts: Mapping[str, Account]) -> tuple[str, str] | None:
    for field in ("partner", "account_id"):
        if values[field] not in accounts:
            return "unknown_account", f"there is no account `{values[field]}`: import it first"
    if accounts[values["partner"]].kind != "partner":
        return "no_partner", f"`{values['partner']}` is of kind {accounts[values['partner']].kind}, not a partner"
    return None


def unknown_reps(accounts: Iterable[Account], reps: Iterable[str]) -> dict[str, int]:
    """Owners and account managers whom the teams policy does not know, and of how many accounts."""
    there, found = set(reps), dict[str, int]()
    for account in accounts:
        for rep in {account.owner, account.account_manager} - {None}:
            if rep not in there and rep is not None:
                found[rep] = found.get(rep, 0) + 1
    return found
