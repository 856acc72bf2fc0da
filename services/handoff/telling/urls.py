"""Which URLs a channel may have; pure."""

from __future__ import annotations

# Of Apprise: services of chat and mail, and JSON or a form for whatever else. Not: what talks to this machine (D-Bus, syslog,
# files), speaks other protocols into a network (MQTT, SMPP, IRC, SNMP), or sends on by itself.
# fmt: off
SCHEMAS = frozenset((
    "brevo", "dingtalk", "discord", "feishu", "form", "forms", "gchat", "json", "jsons", "lark",
    "line", "mailgun", "mailto", "mailtos", "mmost", "mmosts", "postmark", "resend", "rocket", "rockets",
    "sendgrid", "ses", "slack", "tgram", "webex", "wecombot", "workflow", "workflows", "wxteams", "zulip",
))
# fmt: on


def fault(value: str) -> str | None:
    """What is wrong with it as a channel's URL, in words for people that tell nothing of it but its scheme; None where nothing is.

    It is one URL and nothing else: a file of many secrets, or a list of URLs, would lead to those of others.
    """
    scheme, mark, rest = value.partition("://")
    if (
        not mark
        or not rest
        or "://" in rest
        or not scheme.isalnum()
        or any(not sign.isprintable() or sign.isspace() for sign in value)
    ):
        return "is not one URL, alone and without spaces"
    if scheme.lower() not in SCHEMAS:
        return f"begins with {scheme[:20]}://, and channels may be {', '.join(sorted(SCHEMAS))}"
    return None
