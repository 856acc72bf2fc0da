"""Who an event is about: its identifiers, in the order in which they count."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from services.ingest.domain.envelope import Event
from services.ingest.domain.refusals import Refused
from shared.normalise import email
from shared.schemas import ids


class Identity(NamedTuple):
    """One identifier: its id, its kind, and the lead it belongs to while no register says otherwise."""

    id: str
    kind: str
    lead: str


class Identities(NamedTuple):
    """Those of one event. strong: user id, external id, e-mail, mobile number, in this order; anonymous: at most one.

    previous: an earlier user id that counts only if it is known (the sender of an alias does not say which kind it was)
    desk: whether all there is is the address of a desk, so that names and titles beside it are of one of its many readers
    """

    strong: tuple[Identity, ...]
    anonymous: Identity | None = None
    previous: Identity | None = None
    desk: bool = False

    def chief(self) -> Identity:
        """The one by which the event came: the strongest, else the anonymous one."""
        return self.strong[0] if self.strong else self.anonymous  # type: ignore[return-value] # there is one of them


@lru_cache(maxsize=65_536)
def identity(secret: bytes, tenant: str, kind: str, value: str) -> Identity:
    found = ids.identity_id(secret, tenant, kind, value)
    return Identity(found, kind, ids.lead_id(found))


def identities(
    event: Event, address: str | None, secret: bytes, tenant: str, *, mobile: str | None = None
) -> Identities:
    """Whom `event` names; `address` is the e-mail address that it tells, `mobile` the mobile number with its holder's family name
    (`traits.mobile`). Raises Refused `no_identity` where it names nobody.

    A desk's address (info@) is read by many: it identifies where nothing else does, and then links nothing, no browser either.
    """
    user_id, external = event.user_id, _external(event.external_id)
    if user_id and "@" in user_id and (same := email.address(user_id)):
        address = address or same  # senders whose user ids are addresses: later forms shall meet the same lead
        if email.is_shared(same) and event.call != "alias":
            user_id = None  # a desk is nobody's account either
    desk = address is not None and email.is_shared(address)
    if desk and (user_id or external or mobile):
        address, desk = None, False
    strong = []
    if user_id:
        strong.append(identity(secret, tenant, "user", user_id))
    if external:
        strong.append(identity(secret, tenant, "external", external))
    if address:
        strong.append(identity(secret, tenant, "email", address))
    if mobile:
        strong.append(identity(secret, tenant, "phone", mobile))
    previous, anonymous_id = None, event.anonymous_id
    if event.call == "alias":
        if not event.previous_id or not user_id:
            raise Refused("no_identity", "an alias names `previousId` and `userId`")
        previous, anonymous_id = identity(secret, tenant, "user", event.previous_id), event.previous_id
    anonymous = identity(secret, tenant, "anonymous", anonymous_id) if anonymous_id and not desk else None
    if not strong and anonymous is None:
        raise Refused(
            "no_identity",
            "an event names somebody: userId, anonymousId, externalId, an e-mail address or a mobile number with a name",
        )
    return Identities(tuple(strong), anonymous, previous, desk)


def _external(value: str | None) -> str | None:
    """`hubspot:123`, the system in lower case; None for what does not say of which system it is."""
    system, _, number = (value or "").partition(":")
    system, number = system.strip().lower(), number.strip()
    return f"{system}:{number}" if system and number else None
