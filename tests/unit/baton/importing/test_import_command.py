"""`baton import --dry-run` says everything a run would do, in sentences, with nothing running."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from baton.cli import main
from baton.commands.import_ import write_key
from baton.errors import OperatorError
from shared.schemas.policies.sources import Source

ROOT = Path(__file__).parents[4]
FAIR = ROOT / "docs/senders/import/trade_fair.yaml"
HEADER = "メールアドレス,携帯電話,氏名,会社名,名刺交換者,ランク,検討時期,ブース"
OTHERS = ",部署名,役職,郵便番号,住所,課題,予算,立場,商談メモ,電話番号,日時"
ROWS = f"""{HEADER}{OTHERS}
taro@aozora.example,9012345678,青空 太郎,㈱青空,中村,要連絡,3か月以内,A1
taro@aozora.example,,青空 太郎,㈱青空,加藤,,,A1
jiro@aozora.example,9.01E+10,青空 次郎,㈱青空,陳,,,A1
"""

Told = tuple[int, str, str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Told]:
    monkeypatch.setenv("BATON_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(ROOT)

    def call(*arguments: str) -> Told:
        monkeypatch.setattr(sys, "argv", ["baton", "import", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return call


@pytest.fixture
def booth(tmp_path: Path) -> Path:
    path = tmp_path / "booth.csv"
    path.write_bytes(ROWS.encode("cp932"))
    return path


def test_a_dry_run_shows_what_would_be_sent_and_writes_nothing(run: Callable[..., Told], booth: Path) -> None:
    code, out, _ = run(str(booth), "--source", "files", "--tenant", "hinode", "--map", str(FAIR), "--dry-run")
    assert code == 1, "one row is refused"
    for words in (
        "cp932 (Windows' Shift_JIS), parted by commas; 3 rows, 18 columns",
        "1 touches to send (1 row joined",
        "lost_in_excel",
        "row 4: mobile: `9.01E+10`",
        "leading zeros given back: row 2, 携帯電話: 9012345678 → 09012345678",
        "columns that are not used: ブース",
        "contact_requested",
        "nakamura, kato",
        "Nothing was sent",
    ):
        assert words in out
    assert [path.name for path in booth.parent.iterdir()] == ["booth.csv"]


def test_repairs_can_be_kept_as_a_file(run: Callable[..., Told], booth: Path) -> None:
    kept = booth.with_name("repairs.csv")
    run(str(booth), "--source", "files", "--tenant", "hinode", "--map", str(FAIR), "--dry-run", "--repairs", str(kept))
    assert "2,携帯電話,leading zeros given back,9012345678,09012345678" in kept.read_text("utf-8-sig")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--source", "fils", "--tenant", "hinode"), "tenant `hinode` has no source `fils`. Did you mean `files`?"),
        (
            ("--source", "website", "--tenant", "hinode"),
            "is of kind `segment`; files come by one of kind `import`. Valid: `files`",
        ),
        (("--source", "files", "--tenant", "hinodo"), "Did you mean `hinode`?"),
        (("--source", "files"), "tenant `northstar` has no campaign `monozukuri-2026`."),
    ],
)
def test_a_wrong_word_on_the_command_line_is_a_sentence(
    run: Callable[..., Told], booth: Path, arguments: tuple[str, ...], words: str
) -> None:
    code, _, err = run(str(booth), *arguments, "--map", str(FAIR), "--dry-run")
    assert code == 1
    assert words in err


def test_a_file_or_mapping_that_is_not_there_is_a_sentence(run: Callable[..., Told], booth: Path) -> None:
    assert (
        "cannot be read"
        in run(f"{booth}.x", "--source", "files", "--tenant", "hinode", "--map", str(FAIR), "--dry-run")[2]
    )
    assert "cannot be read" in run(str(booth), "--source", "files", "--map", f"{FAIR}.x", "--dry-run")[2]


def test_without_a_running_baton_a_real_run_says_so(
    run: Callable[..., Told], booth: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    assert "start it with `baton up`" in run(str(booth), "--source", "files", "--map", str(FAIR))[2]


def test_the_write_key_is_found_where_the_policy_says_or_where_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / "key"
    kept.write_text("of-the-file\n")
    source = Source(id="files", kind="import", write_keys=("env:ABSENT_KEY", f"file:{kept}"))
    monkeypatch.delenv("ABSENT_KEY", raising=False)
    assert write_key(source, {}, None) == "of-the-file"
    assert write_key(source, {"ABSENT_KEY": "of-the-running-baton"}, None) == "of-the-running-baton"
    monkeypatch.setenv("ANOTHER_KEY", "named")
    assert write_key(source, {}, "ANOTHER_KEY") == "named"
    with pytest.raises(OperatorError, match="set NOWHERE_KEY, or name another variable with --key-env"):
        write_key(source, {}, "NOWHERE_KEY")


def test_a_file_of_headers_alone_is_no_error(run: Callable[..., Told], booth: Path) -> None:
    booth.write_text(f"{HEADER}{OTHERS}\n")
    code, out, _ = run(str(booth), "--source", "files", "--tenant", "hinode", "--map", str(FAIR), "--dry-run")
    assert (code, "0 touches to send" in out) == (0, True)
