"""Who an event is about: its identifiers, in the order in which they count."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from services.ingest.domain.envelope import Event
from services.ingest.domain.normalise import email
from services.ingest.domain.refusals import Refused
from shared.schemas import ids


class Identity(NamedTuple):
    """One identifier: its id, its kind, and the lead it belongs to while no register says otherwise."""

    id: str
    kind: str
    lead: str


class Identities(NamedTuple):
    """Those of one event. strong: user id before e-mail; anonymous: at most one.

    previous: an earlier user id that counts only if it is known (the sender of an alias does not say which kind it was)
    """

    strong: tuple[Identity, ...]
    anonymous: Identity | None = None
    previous: Identity | None = None

    def chief(self) -> Identity:
        """The one by which the event came: user id, else e-mail, else anonymous."""
        return self.strong[0] if self.strong else self.anonymous  # type: ignore[return-value] # there is one of them


@lru_cache(maxsize=65_536)
def identity(secret: bytes, tenant: str, kind: str, value: str) -> Identity:
    found = ids.identity_id(secret, tenant, kind, value)
    return Identity(found, kind, ids.lead_id(found))


def identities(event: Event, address: str | None, secret: bytes, tenant: str) -> Identities:
    """Whom `event` names; `address` is the e-mail address it tells. Raises Refused `no_identity` where it names nobody."""
    user_id = event.user_id
    if user_id and address is None and "@" in user_id:
        address = email.address(user_id)  # senders whose user ids are addresses: later forms shall meet the same lead
    if user_id and address and email.is_shared(address):
        address = None  # a desk's address is read by many: it never links
    strong = []
    if user_id:
        strong.append(identity(secret, tenant, "user", user_id))
    if address:
        strong.append(identity(secret, tenant, "email", address))
    previous, anonymous_id = None, event.anonymous_id
    if event.call == "alias":
        if not event.previous_id or not user_id:
            raise Refused("no_identity", "an alias names `previousId` and `userId`")
        previous, anonymous_id = identity(secret, tenant, "user", event.previous_id), event.previous_id
    anonymous = identity(secret, tenant, "anonymous", anonymous_id) if anonymous_id else None
    if not strong and anonymous is None:
        raise Refused("no_identity", "an event names somebody: userId, anonymousId or an e-mail address in its traits")
    return Identities(tuple(strong), anonymous, previous)
