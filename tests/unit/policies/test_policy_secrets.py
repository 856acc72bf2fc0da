"""Sources come into force with their keys and secrets there, and theirs alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from baton.demo.inbox import Inbox
from baton.home import SECRET_NAMES
from baton.policies import PolicyErrors, check, read
from baton.policies.reading import check_secrets
from baton.policies.secret_checks import references
from shared.schemas.policies import SourcesPolicy

ROOT = Path(__file__).parents[3]
Edit = Callable[[str, str, str], None]
HOOK = """  - id: hook
    kind: hmac
    secrets: [{id: main, value: 'env:HOOK_SECRET'}, {id: old, value: 'file:old-secret', not_after: 2020-01-01T00:00:00Z}]
    signature: {header: X-Signature}

# What touches are credited to."""
OTHERS = {"sources": [{"id": "hook", "kind": "typeform", "secrets": [{"id": "a", "value": "env:A"}]}]}


@pytest.fixture
def environment(demo: Path, edit: Edit) -> dict[str, str]:
    """Everything that northstar, to whom a webhook is added, refers to."""
    edit("sources", "# What touches are credited to.", HOOK)
    Path("old-secret").write_text("an old one\n")
    named = [r for source in read(demo).checked.sources.sources for _, r in references(source)]
    return {name.removeprefix("env:"): f"value of {name}" for name in named if name.startswith("env:")}


def told(demo: Path, environment: dict[str, str], others: dict[str, SourcesPolicy] | None = None) -> list[str]:
    with pytest.raises(PolicyErrors) as errors:
        check_secrets([read(demo)], others or {}, environment)
    return [str(problem) for problem in errors.value.problems]


def test_with_everything_there_nothing_is_wrong(demo: Path, environment: dict[str, str]) -> None:
    assert check_secrets([read(demo)], {}, environment) == []


def test_what_is_missing_is_told_with_its_line_and_the_nearest_name(
    demo: Path, environment: dict[str, str], line_of: Callable[[str, str], int]
) -> None:
    environment["HOOK_SECRT"] = environment.pop("HOOK_SECRET")
    assert told(demo, environment) == [
        f"policies/northstar/sources.yaml:{line_of('sources', 'env:HOOK_SECRET')}: source `hook`: there is no HOOK_SECRET in "
        "the environment or in .baton/secrets. Did you mean `HOOK_SECRT`?"
    ]


def test_a_name_like_no_other_is_told_where_to_write_it_and_batons_own_secrets_are_never_meant(
    demo: Path, environment: dict[str, str], edit: Edit
) -> None:
    environment |= {f"SOMETHING_ELSE_{number}": "x" for number in range(9)} | {"IDENTITY_SECRET": "x"}
    edit("sources", "env:HOOK_SECRET", "env:IDENTITIES")
    assert told(demo, environment)[0].endswith(
        "there is no IDENTITIES in the environment or in .baton/secrets: write IDENTITIES=… into the latter"
    )


def test_a_name_that_only_this_terminal_has_is_doubted(
    demo: Path, environment: dict[str, str], line_of: Callable[[str, str], int]
) -> None:
    (problem,) = check_secrets([read(demo)], {}, environment, {"HOOK_SECRET", "PATH"})
    assert problem.line == line_of("sources", "env:HOOK_SECRET")
    assert "write it into .baton/secrets" in problem.message


def test_what_is_empty_is_missing(demo: Path, environment: dict[str, str]) -> None:
    Path("old-secret").write_text("\n")
    environment["DEMO_WRITE_KEY"] = ""
    words = " ".join(told(demo, environment))
    assert "DEMO_WRITE_KEY is empty in the environment" in words
    assert "the file old-secret is empty" in words


def test_a_file_that_is_not_there_is_told(demo: Path, environment: dict[str, str]) -> None:
    Path("old-secret").rename("old-secrets")
    assert (
        "the file old-secret cannot be read: No such file or directory. Did you mean `old-secrets`?"
        in told(demo, environment)[0]
    )


def test_a_write_key_of_another_tenant_is_refused_whatever_it_is_called(
    demo: Path, environment: dict[str, str]
) -> None:
    other = SourcesPolicy.model_validate({"sources": [{"id": "shop", "write_keys": ["value of env:DEMO_WRITE_KEY"]}]})
    assert ["`shop` of tenant `acme`" in line for line in told(demo, environment, {"acme": other})] == [True]
    same = SourcesPolicy.model_validate({"sources": [{"id": "shop", "write_keys": ["env:DEMO_WRITE_KEY"]}]})
    assert len(told(demo, environment, {"acme": same})) == 1
    assert "value of" not in " ".join(told(demo, environment, {"acme": same}))


def test_two_sources_with_one_key_under_two_names_are_refused(demo: Path, environment: dict[str, str]) -> None:
    environment["DEMO_SERVER_WRITE_KEY"] = environment["DEMO_WRITE_KEY"]
    assert "has the write key of" in told(demo, environment)[0]


def test_tenants_that_are_applied_together_are_compared_too(demo: Path, environment: dict[str, str]) -> None:
    twin = Path(shutil.copytree(demo, demo.parent / "acme"))
    with pytest.raises(PolicyErrors) as errors:
        check_secrets([read(twin), read(demo)], {}, environment)
    assert {problem.file for problem in errors.value.problems} == {
        f"policies/{t}/sources.yaml" for t in ("acme", "northstar")
    }


def test_a_hook_of_another_tenant_has_a_longer_address(demo: Path, environment: dict[str, str]) -> None:
    (warning,) = check_secrets([read(demo)], {"acme": SourcesPolicy.model_validate(OTHERS)}, environment)
    assert "its address is /hooks/northstar/hook" in str(warning)


def test_a_secret_that_is_past_its_time_is_pointed_out(demo: Path, environment: dict[str, str]) -> None:
    assert any("the secret `old` is past its time" in str(warning) for warning in read(demo).warnings)


def test_ids_of_secrets_are_unique(demo: Path, environment: dict[str, str], edit: Edit) -> None:
    edit("sources", "{id: old, value", "{id: main, value")
    with pytest.raises(PolicyErrors, match="`main` is there already"):
        read(demo)


def test_the_embedded_stack_makes_every_key_and_channel_that_the_repositorys_tenants_refer_to(tmp_path: Path) -> None:
    environment = {name: f"value of {name}" for name in SECRET_NAMES}
    inbox = Inbox(tmp_path / "inbox", lambda _: None)
    environment |= inbox.environment({})
    inbox.close()
    assert check_secrets(check(ROOT / "policies"), {}, environment) == []


@pytest.fixture
def chat(edit: Edit, environment: dict[str, str]) -> dict[str, str]:
    """Sato is told by chat."""
    edit("teams", "reps:\n", "channels: [{id: chat, url: 'env:CHAT_URL'}]\nreps:\n")
    edit("teams", "id: sato,", "id: sato, notify: [{channel: chat}],")
    return environment | {"CHAT_URL": "json://chat.example/{to}"}


def test_a_channel_whose_url_is_there_and_can_be_read_is_fine(demo: Path, chat: dict[str, str]) -> None:
    assert check_secrets([read(demo)], {}, chat) == []


def test_a_channel_whose_url_is_not_there_is_refused(
    demo: Path, chat: dict[str, str], line_of: Callable[[str, str], int]
) -> None:
    del chat["CHAT_URL"]
    (line,) = told(demo, chat)
    where = f"policies/northstar/teams.yaml:{line_of('teams', 'env:CHAT_URL')}"
    assert line.startswith(f"{where}: channel `chat`: there is no CHAT_URL in the environment or in .baton/secrets")


def test_a_url_that_apprise_does_not_know_is_refused_and_not_told(demo: Path, chat: dict[str, str]) -> None:
    (line,) = told(demo, chat | {"CHAT_URL": "slack://hush"})
    assert "what env:CHAT_URL holds is no URL that Apprise knows" in line
    assert "hush" not in line


def test_a_service_that_is_none_for_people_is_refused_with_those_that_are(demo: Path, chat: dict[str, str]) -> None:
    (line,) = told(demo, chat | {"CHAT_URL": "mqtt://hush"})
    assert "what env:CHAT_URL holds begins with mqtt://, and channels may be brevo, dingtalk, discord, " in line
    assert "hush" not in line


def test_a_file_of_secrets_is_no_url_though_there_is_one_in_it(demo: Path, chat: dict[str, str], edit: Edit) -> None:
    edit("teams", "url: 'env:CHAT_URL'", "url: 'file:others'")
    Path("others").write_text("KEY=hush\nCHAT=json://chat.example/x\n")
    (line,) = told(demo, chat)
    assert "what file:others holds is not one URL, alone and without spaces" in line
    assert "hush" not in line


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1/{to}",
        "json://localhost:8080/",
        "json://169.254.169.254/latest",
        "forms://[::1]/",
        "mailtos://u:p@hinode.example?smtp=10.0.0.5&to={to}",
    ],
)
def test_a_url_into_our_own_network_is_refused_unless_the_operator_has_named_it(
    demo: Path, chat: dict[str, str], url: str
) -> None:
    (line,) = told(demo, chat | {"CHAT_URL": url})
    assert "leads into our own network: if it may, name its host in HANDOFF_WEBHOOK_ALLOW" in line
    allowed = {"HANDOFF_WEBHOOK_ALLOW": "127.0.0.1, localhost, 169.254.0.0/16, ::1, 10.0.0.0/8"}
    assert check_secrets([read(demo)], {}, chat | {"CHAT_URL": url} | allowed) == []


@pytest.mark.parametrize("theirs", ["env:CHAT_URL", "env:ANOTHER_NAME"])
def test_the_channel_of_another_tenant_is_nobodys(
    demo: Path, chat: dict[str, str], theirs: str, line_of: Callable[[str, str], int]
) -> None:
    chat["ANOTHER_NAME"] = chat["CHAT_URL"]
    mine = read(demo).checked.teams
    acme = mine.model_copy(update={"channels": (mine.channels[0].model_copy(update={"url": theirs}),)})
    with pytest.raises(PolicyErrors) as errors:
        check_secrets([read(demo)], {}, chat, (), {"acme": acme, "northstar": mine})
    (problem,) = errors.value.problems
    assert str(problem).startswith(
        f"policies/northstar/teams.yaml:{line_of('teams', 'env:CHAT_URL')}: channel `chat` has"
    )
    assert "has the URL of `chat` of tenant `acme`" in str(problem)
    assert "chat.example" not in str(problem)


def test_a_rep_with_nothing_to_put_into_the_url_is_refused(demo: Path, chat: dict[str, str], edit: Edit) -> None:
    edit("teams", "email: misaki.sato@northstar.example, ", "")
    (line,) = told(demo, chat)
    assert "rep `sato` has neither `to` nor `email`" in line


def test_a_channel_that_only_this_terminal_has_is_doubted(demo: Path, chat: dict[str, str]) -> None:
    (problem,) = check_secrets([read(demo)], {}, chat, {"CHAT_URL"})
    assert "CHAT_URL is known in this terminal" in problem.message
