"""What is noted of a re-scoring, and what follows from it."""

from __future__ import annotations

from services.scoring.progress import (
    Pass,
    Progress,
    after_a_loss,
    at_the_beginning,
    finished,
    read,
    resumed,
    stale,
    write,
)

PASS = Pass({"acme": 6, "beta": 3}, total=10, began_at=1, cursor=7, seen=4, said={"acme": 2})


def noted(*notes: dict[str, str | None]) -> dict[str, str]:
    """What a store holds after these were written."""
    held: dict[str, str | None] = {}
    for written in notes:
        held |= written
    return {name: value for name, value in held.items() if value is not None}


def test_what_is_written_is_read() -> None:
    assert read(noted(write(PASS), {"done/gamma": "9"})) == Progress({"gamma": 9}, PASS)
    assert read({}) == Progress({}, None)


def test_a_pass_that_ended_is_noted_by_tenant() -> None:
    assert read(noted(write(PASS), {"done/acme": "5"}, finished(PASS))) == Progress({"acme": 6, "beta": 3}, None)


def test_a_pass_that_a_later_version_of_the_program_wrote_is_begun_anew() -> None:
    assert read({"pass": '{"of": "another shape"}', "done/acme": "5"}) == Progress({"acme": 5}, None)


def test_tenants_are_stale_whose_policy_is_another_than_the_one_noted() -> None:
    assert stale(Progress({}, None), {"acme": 5}) == {"acme": 5}
    assert stale(Progress({"acme": 5, "gone": 1}, None), {"acme": 5}) == {}
    assert stale(Progress({"acme": 5, "beta": 3}, None), {"acme": 6, "beta": 3}) == {"acme": 6}


def test_a_topic_of_policies_that_was_made_anew_counts_from_the_start() -> None:
    assert stale(Progress({"acme": 50}, None), {"acme": 2}) == {"acme": 2}


def test_a_worker_that_has_not_read_a_policy_does_not_finish_its_pass() -> None:
    assert resumed(PASS, {"acme": 6, "beta": 4}) == PASS
    left = resumed(PASS, {"acme": 5, "beta": 3})
    assert left
    assert left.targets == {"beta": 3}
    assert left.cursor == PASS.cursor
    assert resumed(PASS, {"acme": 5}) is None


def test_an_empty_partition_needs_no_pass() -> None:
    notes = at_the_beginning(Progress({}, None), {"acme": 5}, empty=True)
    assert stale(read(noted(notes)), {"acme": 5}) == {}
    assert at_the_beginning(Progress({}, None), {"acme": 5}, empty=False) == {}


def test_what_was_re_scored_by_a_policy_that_this_worker_has_yet_to_read_is_re_scored_again_when_it_has() -> None:
    """Until then it scores by the one before, in versions that readers take for old."""
    before = {"done/acme": "6", "done/beta": "3"}
    after = noted(before, at_the_beginning(read(before), {"acme": 5, "beta": 3}, empty=False))  # type: ignore[arg-type]
    assert stale(read(after), {"acme": 6, "beta": 3}) == {"acme": 6}


def test_the_same_of_a_pass_that_is_under_way() -> None:
    before = noted(write(PASS), {"done/acme": "5"})
    notes = at_the_beginning(read(before), {"acme": 5, "beta": 3}, empty=False)
    under_way = read(noted(before, notes)).under_way  # type: ignore[arg-type]
    assert under_way
    assert under_way.targets == {"beta": 3}
    assert at_the_beginning(read(before), {"acme": 6, "beta": 3}, empty=False) == {}


def test_after_a_loss_nothing_is_re_scored_and_no_pass_under_way_until_as_much_is_read_as_ever_was() -> None:
    before = noted(write(PASS), {"done/acme": "5", "run": "a"})
    after = noted(before, after_a_loss(read(before), 700))  # type: ignore[arg-type]
    assert read(after) == Progress({}, None, 700, "a")
    again = noted(after, after_a_loss(read(after), 650))  # type: ignore[arg-type]
    assert read(again).behind == 700, "of two losses both"
    assert read(noted(again, finished(PASS))).behind == 0  # type: ignore[arg-type]


def test_something_is_always_left_of_a_pass_that_is_under_way() -> None:
    assert PASS.left() == 6
    assert Pass({}, total=2, began_at=0, seen=9).left() == 1
