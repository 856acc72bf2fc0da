"""A policy file that is not plain, honest YAML is refused with its line, whatever is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.policies.documents import MOST_BYTES, Document, load


def refusal(content: str | bytes, tmp_path: Path) -> str:
    path = tmp_path / "x.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    document, problems = load(path, "x.yaml")
    assert document is None
    assert len(problems) == 1
    return str(problems[0])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "x.yaml: the file is empty"),
        ("# only a comment\n", "x.yaml: the file is empty"),
        ("a: 1\n\tb: 2\n", "x.yaml:2: indented by a tab; YAML wants spaces"),
        (b"a: 1\nb: \xff\n", "x.yaml:2: this is not UTF-8; save the file as UTF-8"),
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3: `a` is given twice here, first on line 1"),
        ("a: {b: 1, b: 2}\n", "x.yaml:1: `b` is given twice here, first on line 1"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2: a second document starts here; a policy file has one"),
        ("%YAML 1.1\n---\na: yes\n", "x.yaml:2: directives such as `%YAML` are not used in policies"),
        ("a: !!python/object:os.system x\n", "x.yaml:1: tags such as"),
        ("a: 99999999999999999999\n", "x.yaml:1: the number 99999999999999999999 is too large"),
        ("a: " + "9" * 5000 + "\n", "is too long"),
        ("a: .nan\n", "x.yaml:1: `.nan` is not a number that can be counted with"),
        ('a: "\\0"\n', "x.yaml:1: holds a character that is none"),
        ('a: "\\ud800"\n', "x.yaml:1: holds a character that is none"),
        ("a: \x07\n", "x.yaml:1: holds a control character"),
        ("? [a, b]\n: c\n", "x.yaml:1: a field's name is text"),
        ("a: 1\nb: [1, 2\nc: 3\n", "x.yaml:3: this is not YAML: while parsing a flow sequence"),
        ("a: b: c\n", "x.yaml:1: this is not YAML: mapping values are not allowed here"),
        ("a: 'never closed\n", "x.yaml:2: this is not YAML: while scanning a quoted scalar"),
        ("a: " + "[" * 5000, "x.yaml:1: nested more than 32 levels deep"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_line(content: str | bytes, told: str, tmp_path: Path) -> None:
    assert told in refusal(content, tmp_path)


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    assert refusal(bomb, tmp_path).startswith("x.yaml:1: anchors and aliases")


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    assert f"{MOST_BYTES} at most" in refusal("a" * (MOST_BYTES + 1), tmp_path)


def test_a_directory_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").mkdir()
    document, problems = load(tmp_path / "x.yaml", "x.yaml")
    assert document is None
    assert "cannot be read" in str(problems[0])


def test_every_value_knows_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\nb:\n  - c: 2\n  - {d: 3, e: [4,\n      5]}\n")
    document, problems = load(path, "x.yaml")
    assert not problems
    assert isinstance(document, Document)
    assert document.content == {"a": 1, "b": [{"c": 2}, {"d": 3, "e": [4, 5]}]}
    places = {("a",): 1, ("b",): 2, ("b", 0, "c"): 3, ("b", 1, "d"): 4, ("b", 1, "e", 1): 5}
    assert {place: document.line(place) for place in places} == places
    assert document.line(("b", 1, "never", "there")) == 4


def test_scalars_are_those_of_yaml_1_2_and_a_date_is_text(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("yes: yes\nnorway: NO\ntrue: true\nnull: ~\nocto: 012\nsix: 1:30\nday: 2026-11-21\nfloat: 1.5\n")
    document, _ = load(path, "x.yaml")
    assert document is not None
    assert document.content == {
        "yes": "yes",
        "norway": "NO",
        "true": True,
        "null": None,
        "octo": 12,
        "six": "1:30",
        "day": "2026-11-21",
        "float": 1.5,
    }


@given(st.one_of(st.text(max_size=200), st.text("a:-[]{}&*!|>%@`'\"#?, \n\t\\0", max_size=80)))
def test_whatever_stands_in_a_file_it_is_data_or_a_problem_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    document, problems = load(path, "any.yaml")
    assert (document is None) == bool(problems)
