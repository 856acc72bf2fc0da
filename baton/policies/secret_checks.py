"""What sources and channels refer to has to be there, and a source's be its alone: write keys, secrets, URLs. Values are looked at,
never told."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from baton.policies.documents import Place
from baton.policies.findings import Finding, Policies
from baton.policies.problems import suggest
from services.handoff.outbound.addresses import Allowed
from services.handoff.telling import urls
from shared.schemas.policies import SourcesPolicy, TeamsPolicy
from shared.schemas.policies.sources import SIGNED, Source

Environment = Mapping[str, str]
TO = "{to}"  # in a channel's URL: who is told
_FEW = 8  # the environment and its directories are full of names that no policy means
_NO_SOURCES = {"IDENTITY_SECRET", "INGEST_ADMIN_TOKEN"}  # names of secrets that are Baton's own
_WITH_AN_ADDRESS = SIGNED | {"form"}  # whose address is made of the source's id


def expired(policies: Policies) -> Iterator[Finding]:
    """A secret that is past its time proves nothing any more."""
    for index, source in enumerate(policies.sources.sources):
        for number, secret in enumerate(source.secrets):
            if secret.not_after is not None and secret.not_after <= policies.now:
                place = ("sources", index, "secrets", number, "not_after")
                message = f"source `{source.id}`: the secret `{secret.id}` is past its time: it proves nothing any more"
                yield Finding("sources", place, message, code="secret-past")


def missing(policies: Policies, environment: Environment) -> Iterator[Finding]:
    """Every reference leads to a value."""
    for index, source in enumerate(policies.sources.sources):
        for place, reference in references(source):
            if fault := _fault(reference, environment):
                yield Finding(
                    "sources", ("sources", index, *place), f"source `{source.id}`: {fault}", code="secret-missing"
                )
    for index, channel in enumerate(policies.teams.channels):
        if fault := _fault(channel.url, environment):
            yield Finding(
                "teams", ("channels", index, "url"), f"channel `{channel.id}`: {fault}", code="secret-missing"
            )


def unreadable(policies: Policies, environment: Environment) -> Iterator[Finding]:
    """Every channel's URL is one, of a service that is fit for it and that Apprise knows, leads to no address of our own network,
    and there is something to put into it."""
    channels = {channel.id: (index, channel) for index, channel in enumerate(policies.teams.channels)}
    tried: set[str] = set()
    for index, channel in channels.values():
        if (url := _value(channel.url, environment)) and (fault := urls.fault(url)):
            tried.add(channel.id)
            message = f"channel `{channel.id}`: what {channel.url} holds {fault}"
            yield Finding("teams", ("channels", index, "url"), message, code="channel-unreadable")
    for number, rep in enumerate(policies.teams.reps):
        for at, address in enumerate(rep.notify):
            index, named = channels.get(address.channel, (0, None))
            url = _value(named.url, environment) if named else None
            if named is None or not url:
                continue
            to = address.to or rep.email
            if TO in url and not to:
                message = (
                    f"rep `{rep.id}` has neither `to` nor `email`, and the URL of channel `{named.id}` asks for it"
                )
                yield Finding("teams", ("reps", number, "notify", at), message, code="channel-unreadable")
            elif named.id not in tried:
                tried.add(named.id)
                if fault := _of_apprise(url.replace(TO, quote(to or "", safe="")), environment):
                    message = f"channel `{named.id}`: what {named.url} holds {fault}"
                    yield Finding("teams", ("channels", index, "url"), message, code="channel-unreadable")


def _of_apprise(url: str, environment: Environment) -> str | None:
    """What is wrong with it. Names of hosts are looked up when something is sent, not here."""
    import apprise  # takes a moment, and most tenants have no channels

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it would tell what it cannot read
    plugin = apprise.Apprise.instantiate(url)
    if plugin is None:
        return "is no URL that Apprise knows"
    allowed = Allowed.parse(environment.get("HANDOFF_WEBHOOK_ALLOW", ""))
    hosts = (getattr(plugin, name, None) for name in ("host", "smtp_host"))
    if any(host and not allowed.may_be(str(host)) for host in hosts):
        return "leads into our own network: if it may, name its host in HANDOFF_WEBHOOK_ALLOW"
    return None


def only_here(policies: Policies, names: Collection[str]) -> Iterator[Finding]:
    """What ingest may not have, since it is in the environment of this process alone."""
    for index, source in enumerate(policies.sources.sources):
        for place, reference in references(source):
            kind, _, name = reference.partition(":")
            if kind == "env" and name in names:
                message = (
                    f"source `{source.id}`: {name} is known in this terminal: unless Baton was started with it too, "
                    "write it into .baton/secrets, where ingest finds it within 10 s"
                )
                yield Finding("sources", ("sources", index, *place), message, code="secret-only-here")
    for index, channel in enumerate(policies.teams.channels):
        kind, _, name = channel.url.partition(":")
        if kind == "env" and name in names:
            message = (
                f"channel `{channel.id}`: {name} is known in this terminal: unless Baton was started with it too, "
                "write it into .baton/secrets, where handoff finds it with the next message"
            )
            yield Finding("teams", ("channels", index, "url"), message, code="secret-only-here")


def shared(
    policies: Policies, tenant: str, others: Mapping[str, SourcesPolicy], environment: Environment
) -> Iterator[Finding]:
    """A write key admits to one source alone, whatever it is called; and addresses of hooks are told apart.

    others: the sources of the other tenants
    """
    holders: dict[str, str] = {}
    for name, policy in others.items():
        for source in policy.sources:
            for key in source.write_keys:
                holders |= dict.fromkeys(_marks(key, environment), f"`{source.id}` of tenant `{name}`")
    for index, source in enumerate(policies.sources.sources):
        for number, key in enumerate(source.write_keys):
            place: Place = ("sources", index, "write_keys", number)
            mine = f"`{source.id}`"
            held = {holders.setdefault(mark, mine) for mark in _marks(key, environment)} - {mine}
            for holder in sorted(held):
                message = f"source `{source.id}` has the write key of {holder}: nobody could tell them apart"
                yield Finding("sources", place, message, code="shared-key")
        twins = [name for name, policy in others.items() if name != tenant and _has_hook(policy, source)]
        if twins and source.kind in _WITH_AN_ADDRESS:
            road = "forms" if source.kind == "form" else "hooks"
            message = f"tenant `{twins[0]}` has a source `{source.id}` too: its address is /{road}/{tenant}/{source.id}"
            yield Finding("sources", ("sources", index, "id"), message, code="address-alike")


def shared_channels(
    policies: Policies, tenant: str, others: Mapping[str, TeamsPolicy], environment: Environment
) -> Iterator[Finding]:
    """A channel is one tenant's alone: nobody refers to the secrets of others.

    others: the teams of the other tenants
    """
    holders: dict[str, str] = {}
    for name, teams in others.items():
        if name != tenant:
            for channel in teams.channels:
                holders |= dict.fromkeys(_marks(channel.url, environment), f"`{channel.id}` of tenant `{name}`")
    for index, channel in enumerate(policies.teams.channels):
        for holder in sorted({holders[mark] for mark in _marks(channel.url, environment) if mark in holders}):
            message = (
                f"channel `{channel.id}` has the URL of {holder}: each tenant has its own, under a name of its own"
            )
            yield Finding("teams", ("channels", index, "url"), message, code="shared-channel")


def references(source: Source) -> Iterator[tuple[Place, str]]:
    """All references of a source, by their place in it."""
    for number, key in enumerate(source.write_keys):
        yield ("write_keys", number), key
    for number, secret in enumerate(source.secrets):
        yield ("secrets", number, "value"), secret.value


def _has_hook(policy: SourcesPolicy, wanted: Source) -> bool:
    return any(source.id == wanted.id and source.kind in _WITH_AN_ADDRESS for source in policy.sources)


def _fault(reference: str, environment: Environment) -> str | None:
    kind, _, rest = reference.partition(":")
    if kind == "env":
        if rest not in environment:
            near = suggest(rest, environment.keys() - _NO_SOURCES, most=_FEW)
            return f"there is no {rest} in the environment or in .baton/secrets" + (
                f".{near}" if near else f": write {rest}=… into the latter"
            )
        return None if environment[rest] else f"{rest} is empty in the environment"
    if kind == "file":
        try:
            return None if Path(rest).read_text().strip() else f"the file {rest} is empty"
        except (OSError, UnicodeDecodeError) as error:
            siblings = [str(path) for path in Path(rest).parent.glob("*")] if Path(rest).parent.is_dir() else []
            reason = getattr(error, "strerror", None) or "it is not text"
            return f"the file {rest} cannot be read: {reason}." + suggest(rest, siblings, most=_FEW)
    return None


def _marks(reference: str, environment: Environment) -> set[str]:
    """By what two write keys are the same: the value where it is known here, and the reference where it is one."""
    if not reference.startswith(("env:", "file:")):
        return {_digest(reference)}
    value = _value(reference, environment)
    return {reference} | ({_digest(value)} if value else set())


def _value(reference: str, environment: Environment) -> str | None:
    """What `env:NAME` or `file:PATH` stands for, where it is known here."""
    kind, _, rest = reference.partition(":")
    if kind == "env":
        return environment.get(rest)
    try:
        return Path(rest).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None


def _digest(value: str) -> str:
    return sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
