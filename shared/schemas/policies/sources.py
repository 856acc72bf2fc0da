"""Who may send, how they prove it, and what their events mean."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.schemas.catalogue import MAPPING_FIELDS
from shared.schemas.policies.base import Label, Policy, RuleId, Strict, condition_of
from shared.schemas.touches import Basis, ConsentChannel

Reference = Annotated[str, Field(min_length=1, description="a literal, env:NAME or file:PATH")]
SecretReference = Annotated[
    str, Field(pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$", description="env:NAME or file:PATH, never the value")
]

Kind = Literal[
    "segment",  # any tracking protocol: the write key says which source it is
    "form",
    "import",
    "standard_webhooks",
    "hmac",
    "hubspot",
    "sendgrid",
    "marketo",
    "salesforce_outbound",
    "typeform",
    "calendly",
    "zoom",
    "meta_leads",
    "linkedin_leads",
    "google_leads",
    "customerio",
    "mailgun",
    "mailchimp",
    "intercom",
    "segment_webhook",
    "unbounce",
]


# Recognised by what they sign or carry at /hooks/{source}; each has a file of its own in services/ingest/senders.
SIGNED = frozenset(get_args(Kind)) - {"segment", "form", "import"}
# A signature that covers a part of the body, or none, proves where it comes from and not what it says.
_SIGNED_IN_PART = {"mailgun", "mailchimp", "unbounce", "segment_webhook"}
# Strangers type, or put into the address of the form, whom these are about: they may claim to be somebody else.
_TOLD_BY_STRANGERS = {"typeform", "calendly", "zoom", "google_leads"}
_TRUSTED_UNSAID = (SIGNED | {"import"}) - _SIGNED_IN_PART - _TOLD_BY_STRANGERS


class MappingRule(Strict):
    """Events for which `when` holds become touches of `type`; the first rule that holds decides."""

    id: RuleId
    when: condition_of(MAPPING_FIELDS)  # type: ignore[valid-type]
    type: str
    topic: str | None = None
    channel: str | None = None
    campaign: str | None = None


class EvidenceRule(Strict):
    """Where an answer to a qualification question stands in an event, and which values mean which code.

    fields: property or trait names, the first that is present counts;  values: code -> texts that mean it, without case;
    otherwise: the code of any other non-empty answer
    """

    criterion: str
    fields: tuple[str, ...]
    values: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    otherwise: str | None = None


class ConsentRule(Strict):
    """Where a yes or no to being contacted stands in an event. `yes` and `no` are compared without case; an answer that is
    neither says nothing.

    basis: on what a yes rests;  version: of the text that was agreed to
    """

    fields: tuple[str, ...] = Field(min_length=1)
    channel: ConsentChannel
    purpose: str = "marketing"
    basis: Basis = "opt_in"
    version: str | None = None
    yes: tuple[str, ...] = ("true", "yes", "on", "1", "agree", "同意する", "同意します", "はい", "希望する")
    no: tuple[str, ...] = ("false", "no", "off", "0", "disagree", "同意しない", "いいえ", "希望しない")


class Secret(Strict):
    """A secret of a source. Every one that is active is tried, so that secrets can overlap while they are exchanged.

    use: `sign` verifies what is sent; `verify_token` answers a challenge that asks for one (Meta)
    not_after: from then on it proves nothing
    """

    id: RuleId
    value: SecretReference
    use: Literal["sign", "verify_token"] = "sign"
    not_after: datetime | None = None

    @model_validator(mode="after")
    def _with_zone(self) -> Secret:
        if self.not_after is not None and self.not_after.tzinfo is None:
            raise PydanticCustomError("time_zone", "not_after names its time zone, as in 2026-12-31T00:00:00+09:00")
        return self


class SignatureScheme(Strict):
    """How a generic signed webhook (`kind: hmac`) is signed.

    header:    where the signature stands;  prefix: what precedes it there ("sha256=")
    separator, field: where the header is a list of name=value pairs ("t=1,v1=ab"): what parts them, and the signature's name
    signed:    what is signed; of {body} {t} {method} {url} {id}, such as "{t}.{body}"
    timestamp: header that holds {t} ("X-Timestamp"), or the name of the pair in `header` that does
    event_id:  header that holds {id} and tells deliveries apart;  event: header that names the event
    """

    header: str
    prefix: str = ""
    separator: str | None = None
    field: str | None = None
    digest: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    signed: str = "{body}"
    timestamp: str | None = None
    unit: Literal["s", "ms"] = "s"
    event_id: str | None = None
    event: str | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> SignatureScheme:
        if "{body}" not in self.signed:
            raise PydanticCustomError("signed", "`signed` has to cover {{body}}: what is not signed proves nothing")
        if "{t}" in self.signed and self.timestamp is None:
            raise PydanticCustomError("signed", "`signed` names {{t}}: say in `timestamp` where it stands")
        if "{id}" in self.signed and self.event_id is None:
            raise PydanticCustomError("signed", "`signed` names {{id}}: say in `event_id` which header holds it")
        if (self.separator is None) != (self.field is None):
            raise PydanticCustomError("signed", "`separator` and `field` come together")
        return self


class Rate(Strict):
    """Requests that a source may make: `per_second` for good, `burst` at once."""

    per_second: float = Field(gt=0)
    burst: int = Field(ge=1)


class FormSettings(Strict):
    """Of `kind: form`.

    origins:   web origins ("https://www.example.jp") that may send; a request that names another is refused
    redirects: addresses that `_redirect` may begin with;  honeypot: a field that people never see, and robots fill
    event:     what a submission is called where the form does not say
    """

    origins: tuple[Annotated[str, Field(pattern=r"^https?://[^/]+$")], ...] = ()
    redirects: tuple[Annotated[str, Field(pattern=r"^https?://[^/]+/")], ...] = ()
    honeypot: str | None = None
    event: str = "contact_requested"


class Source(Strict):
    """A system that may send events.

    kind:        `segment` for tracking calls, `form`, `import`, or the sender of signed webhooks
    write_keys:  any of them admits tracking calls and imports
    secrets:     prove webhooks at /hooks/{id}
    trusted:     whether its events may link two known identities; by default imports and webhooks whose signature covers
                 the whole body, but for forms, whose visitors may claim to be anybody
    public_url:  the address under which the sender reaches us, where it signs that too
    tolerance_seconds: how far a signed time may be off, on either side
    origins:     web origins that browsers may send tracking calls from; empty: any
    """

    id: RuleId
    kind: Kind = "segment"
    write_keys: tuple[Reference, ...] = ()
    secrets: tuple[Secret, ...] = ()
    trusted: bool | None = None
    public_url: Annotated[str, Field(pattern=r"^https?://[^/]+")] | None = None
    tolerance_seconds: int = Field(default=300, ge=1, le=3600)
    rate: Rate | None = None
    signature: SignatureScheme | None = None
    form: FormSettings | None = None
    origins: tuple[Annotated[str, Field(pattern=r"^https?://[^/]+$")], ...] = ()
    mapping: tuple[MappingRule, ...] = ()

    @model_validator(mode="after")
    def _can_be_recognised(self) -> Source:
        if self.kind in ("segment", "import") and not self.write_keys:
            raise PydanticCustomError("write_keys", "a source of kind `{kind}` needs write_keys", {"kind": self.kind})
        if self.kind in SIGNED and not any(secret.use == "sign" for secret in self.secrets):
            raise PydanticCustomError("secrets", "a source of kind `{kind}` needs a secret", {"kind": self.kind})
        if (self.kind == "hmac") != (self.signature is not None):
            raise PydanticCustomError("signature", "`signature` belongs to `kind: hmac`, which needs it")
        if self.form is not None and self.kind != "form":
            raise PydanticCustomError("form", "`form` belongs to `kind: form`")
        return self

    @property
    def is_trusted(self) -> bool:
        """Whether its events may link known identities, `trusted` said or not."""
        return self.trusted if self.trusted is not None else self.kind in _TRUSTED_UNSAID


class Campaign(Strict):
    """What touches are credited to. A trade fair is a campaign with dates, place, cost and staff.

    cost: in minor units of `currency`;  goal: cards or registrations wanted;  staff: ids of reps, who exchange cards
    """

    id: RuleId
    kind: Literal["trade_fair", "seminar", "webinar", "email", "ads", "content", "partner", "other"] = "other"
    name: Label | None = None
    starts: date | None = None
    ends: date | None = None
    place: str | None = None
    cost: int | None = Field(default=None, ge=0)
    currency: str = Field(default="JPY", pattern=r"^[A-Z]{3}$")
    goal: int | None = Field(default=None, ge=0)
    staff: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Campaign:
        if self.kind == "trade_fair" and (self.starts is None or self.ends is None):
            raise PydanticCustomError("dates", "a trade fair has dates: `starts` and `ends`")
        if self.starts and self.ends and self.ends < self.starts:
            raise PydanticCustomError("dates", "`ends` lies before `starts`")
        return self


class SourcesPolicy(Policy):
    """All sources of a tenant; `mapping`, `evidence` and `consent` apply to every source, after the source's own."""

    kind: Literal["sources"] = "sources"
    sources: tuple[Source, ...]
    mapping: tuple[MappingRule, ...] = ()
    evidence: tuple[EvidenceRule, ...] = ()
    consent: tuple[ConsentRule, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    free_mail_domains: tuple[str, ...] = Field(default=(), description="beside the built-in list")
