"""What is counted of a source, before it is added up."""

from __future__ import annotations

from services.ingest.domain.refusals import Refused
from services.ingest.domain.touch import DAY
from services.ingest.quarantine import Room
from services.ingest.reading import Read
from services.ingest.seen import MOST_BODIES, Seen, Tally
from services.ingest.statistics import Figures

PERSON = {"email": "k.mori@aoi-kikai.example", "name": "森 健", "company": "葵機械", "title": "部長"}


def test_events_are_counted_by_what_became_of_them(read, sender, now):
    seen, web = Seen(), sender()
    body = {"batch": [{"type": "identify", "userId": "u-1"}, {"type": "identify", "userId": "u-2"}, {"type": "x"}]}
    found = read("batch", body)
    seen.taken(web, now, found, [True, False])
    seen.refused(web, now, "malformed_json")
    seen.unverified(web, now, "bad_signature")
    seen.verified(web, now, "main")
    (place, tally), *others = seen.take().items()
    assert others == []
    assert place == ("hinode", "web", now // DAY)
    assert tally.counts == {
        "accepted": 1,
        "duplicate": 1,
        "rejected:unknown_type": 1,
        "rejected:malformed_json": 1,
        "unverified:bad_signature": 1,
    }
    assert tally.largest == {"last": now, "secret:main": now}
    assert sum(tally.minutes.values()) == 3
    assert seen.take() == {}, "it is counted once"


def test_people_are_looked_at_for_what_they_lack_to_be_worked(read, sender, now):
    seen = Seen()
    body = {"batch": [{"type": "identify", "userId": f"u-{n}", "traits": PERSON} for n in range(2)]}
    body["batch"].append({"type": "track", "event": "x", "userId": "u-3"})
    found = read("batch", body)
    seen.taken(sender(), now, found, [True, False, True])
    (tally,) = seen.take().values()
    assert tally.counts["personal"] == 1, "neither duplicates nor touches that tell of nobody"
    assert tally.counts["missing:consent"] == 1
    assert "missing:name" not in tally.counts


def test_however_many_people_come_only_some_are_looked_at(read, sender, now):
    seen = Seen()
    found = read("identify", {"userId": "u-1", "traits": PERSON})
    for _ in range(MOST_BODIES + 50):
        seen.taken(sender(), now, found, [True])
    (tally,) = seen.take().values()
    assert tally.counts["personal"] == MOST_BODIES
    assert tally.counts["accepted"] == MOST_BODIES + 50


def test_a_clock_that_is_off_is_counted_and_a_slow_network_is_not(sender, now):
    seen = Seen()
    seen.taken(sender(), now, Read(refused={0: Refused("x", "x")}, skew=-400_000), [])
    seen.taken(sender(), now, Read(refused={0: Refused("x", "x")}, skew=200_000), [])
    (tally,) = seen.take().values()
    assert (tally.counts["shifted"], tally.largest["skew"]) == (1, 400_000)


def test_tallies_join_in_any_order():
    one, other = Tally(), Tally()
    one.count("accepted", 2)
    one.reach("last", 5)
    other.count("accepted", 3)
    other.reach("last", 9)
    other.minutes["1"] = 4
    first, second = Tally(), Tally()
    first.join(one)
    first.join(other)
    second.join(other)
    second.join(one)
    assert first == second
    assert (first.counts, first.largest, first.minutes) == ({"accepted": 5}, {"last": 9}, {"1": 4})


def test_figures_are_of_all_days_and_of_today():
    figures = Figures({9: {"accepted": 1, "rejected:a": 1, "last": 3}, 10: {"rejected:a": 2, "rejected:b": 5}}, 10)
    assert figures.count("accepted") == 1
    assert list(figures.by("rejected").items()) == [("b", 5), ("a", 3)]
    assert figures.of_today().by("rejected") == {"b": 5, "a": 2}
    assert figures.largest("last") == 3
    assert Figures().largest("last") is None


def test_quarantine_has_room_for_so_many_a_minute_of_each_source(now):
    room = Room(2)
    minute = now - now % 60_000
    assert [room.for_one_more("t", "hook", minute + n) for n in range(3)] == [True, True, False]
    assert room.for_one_more("t", "other", minute)
    assert room.for_one_more("t", "hook", minute + 60_000)
