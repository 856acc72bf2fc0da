"""What `baton policy show` prints may be written into the file again: that is how one goes back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from baton.commands.policy import _yaml
from baton.policies import Stored, read
from baton.policies.reading import body_hash
from shared.schemas.policies import PolicyPublished

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 8, 1, tzinfo=UTC)


@pytest.mark.parametrize("tenant", ["northstar", "hinode", "olist"])
def test_a_version_that_is_shown_and_written_into_its_file_is_that_version_again(tenant: str, tmp_path: Path) -> None:
    bodies = read(ROOT / "policies" / tenant, NOW).bodies
    (tmp_path / tenant).mkdir()
    for number, (kind, body) in enumerate(bodies.items(), 1):
        kept = orjson.loads(orjson.dumps(body))
        record = PolicyPublished(
            tenant=tenant, sequence=number, kind=kind, hash=body_hash(body), body=kept, activated_at=1
        )
        (tmp_path / tenant / f"{kind}.yaml").write_text(_yaml(Stored(record, published=True)) + "\n")
    again = read(tmp_path / tenant, NOW).bodies
    assert {kind: body_hash(body) for kind, body in again.items()} == {
        kind: body_hash(body) for kind, body in bodies.items()
    }
