"""What is personal, shown so that colleagues know whom it is about, and strangers do not."""

from __future__ import annotations


def email(address: str) -> str:
    """t***@hinode.co.jp"""
    name, at, domain = address.partition("@")
    return f"{name[:1]}***{at}{domain}"


def person(fields: dict[str, str], *, reveal: bool) -> str:
    """In a word: name and address, or the address masked; empty where neither is known."""
    address, name = fields.get("email", ""), fields.get("name", "")
    if reveal:
        return " ".join(part for part in (name, f"<{address}>" if name and address else address) if part)
    return email(address) if address else ""
