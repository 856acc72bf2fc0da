"""Who comes to an opportunity, and whether it is theirs: for the routes of what hangs on one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Request

from services.handoff.paging import UUID
from services.handoff.policies import Policies
from services.handoff.reads import Reads
from services.handoff.seeing import must_be_theirs, sees
from shared.kit.auth import Caller, Tokens
from shared.kit.near import nearest
from shared.kit.problems import Problem
from shared.sight import FOR_OTHERS, Sight, sight_of

Row = dict[str, Any]


class Entry:
    """Lets callers in to the opportunities that they may see."""

    def __init__(self, reads: Reads, policies: Policies, tokens: Tokens) -> None:
        self._reads, self._policies, self._tokens = reads, policies, tokens

    async def caller(self, request: Request) -> tuple[Caller, Sight]:
        """Who comes, and what they see. Raises Problem 401, and 403 without a role."""
        caller = await self._tokens.caller(request)
        return caller, sight_of(caller, self._policies.teams(caller.tenant))

    async def seen(self, request: Request, opportunity_id: str) -> tuple[Caller, Row]:
        """The opportunity, to be looked at. Raises Problem 401, 403 without a role, 404, also for what is not to be seen."""
        caller, sight = await self.caller(request)
        row = await self._reads.find(caller.tenant, known_form(opportunity_id))
        if row is None or not sees(sight, row):
            raise not_found(opportunity_id)
        return caller, row

    async def acts(self, request: Request, opportunity_id: str, named: str | None) -> tuple[Caller, Row, str]:
        """The opportunity, and the rep in whose name something is done about it, whether they have it now or had it: the one who is
        named, the token's own, or whoever was asked last. Raises Problem as `seen`, and 403."""
        caller, row = await self.seen(request, opportunity_id)
        rep_id = rep_of(caller, named) or str(row["offers"][-1]["rep_id"])
        must_be_theirs(sight_of(caller, self._policies.teams(caller.tenant)), row, rep_id)
        return caller, row, rep_id

    async def theirs(self, request: Request, opportunity_id: str, named: str | None = None) -> tuple[Caller, Row, str]:
        """The opportunity, to be changed, and the rep in whose name. Raises Problem as `seen`, and 403 where somebody else has it:
        it is for the rep who was asked last, and for whoever may act for them.

        named: the rep in whose name, where the caller says so
        """
        caller, row = await self.seen(request, opportunity_id)
        last = str(row["offers"][-1]["rep_id"])
        rep_id = rep_of(caller, named) or last
        sight = sight_of(caller, self._policies.teams(caller.tenant))
        if not FOR_OTHERS.intersection(caller.roles) and caller.name != last:
            raise not_yours()
        must_be_theirs(sight, row, last)
        must_be_theirs(sight, row, rep_id)
        return caller, row, rep_id


def rep_of(caller: Caller, named: str | None) -> str | None:
    """The rep in whose name `caller` acts; None where it is for whoever was asked last. Raises Problem 403."""
    if FOR_OTHERS.intersection(caller.roles):
        return named or (caller.name if "rep" in caller.roles else None)
    if named not in (None, caller.name):
        raise Problem(403, "not_your_name", "a rep's token acts for this rep only")
    return caller.name


def known_form(opportunity_id: str) -> str:
    """Raises Problem 404 for what is no id of an opportunity."""
    if not UUID.fullmatch(opportunity_id):
        raise not_found(opportunity_id)
    return opportunity_id


def not_found(opportunity_id: str) -> Problem:
    return Problem(404, "not_found", f"there is no opportunity {opportunity_id[:50]!r}")


def not_yours() -> Problem:
    return Problem(403, "not_yours_now", "somebody else has this lead now: you see it, and they keep it")


def unknown(what: str, wrong: str, valid: Sequence[str]) -> Problem:
    """A word that is none of the valid ones, which are named, with the nearest."""
    near = nearest(wrong, valid)
    hint = f" Did you mean `{near}`?" if near else ""
    return Problem(422, f"unknown_{what}", f"there is no {what} `{wrong}`.{hint}", valid=list(valid), suggestion=near)
