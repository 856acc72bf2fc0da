"""The one seam through which personal data passes on its way into and out of records and stores."""

from __future__ import annotations

from collections.abc import Mapping

from shared.schemas.person import PERSON_FIELDS, SealedPerson


def seal(fields: Mapping[str, str | None]) -> SealedPerson | None:
    """What of `fields` is personal and not empty, as it may travel. Raises KeyError for a field that no contract names."""
    unknown = fields.keys() - set(PERSON_FIELDS)
    if unknown:
        raise KeyError(f"not a personal field: {', '.join(sorted(unknown))}")
    kept = {name: value for name, value in fields.items() if value}
    return SealedPerson(fields=kept) if kept else None


def reveal(person: SealedPerson | None) -> dict[str, str]:
    """The personal fields that are known here; none where there is no person or where it has been forgotten."""
    return {name: value for name, value in person.fields.items() if name in PERSON_FIELDS} if person else {}
