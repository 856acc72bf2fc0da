"""The registry of topics keeps its own rules."""

from __future__ import annotations

import pytest

from baton.contracts import RECORDS
from shared.schemas.topics import (
    DAY,
    DEAD_LETTERED,
    HORIZON_DAYS,
    LEAD_SCORED,
    TOPICS,
    TOUCHPOINTS,
    Topic,
    dead_letters,
)

EVENTS = [topic for topic in TOPICS.values() if not topic.name.endswith("-dlq")]
PROGRAMS = {"ingest", "scoring", "router", "handoff"}
OPERATORS = {"operators", "baton dlq"}


def named(topic: Topic) -> str:
    return topic.name


@pytest.mark.parametrize("topic", EVENTS, ids=named)
def test_a_topic_has_one_writer_that_exists_and_readers(topic: Topic) -> None:
    assert topic.writer in PROGRAMS | {"baton policy apply"}
    assert topic.readers
    assert set(topic.readers) <= PROGRAMS | OPERATORS


@pytest.mark.parametrize("topic", EVENTS, ids=named)
def test_a_topic_is_named_in_kebab_case_and_under_its_own_name(topic: Topic) -> None:
    assert TOPICS[topic.name] is topic
    assert set(topic.name) <= set("abcdefghijklmnopqrstuvwxyz-")


@pytest.mark.parametrize("topic", EVENTS, ids=named)
def test_the_key_of_a_topic_is_a_field_of_its_records(topic: Topic) -> None:
    for name in topic.holds:
        fields = RECORDS[name].model_fields
        assert {topic.key, f"{topic.key}_id"} & set(fields)
        assert fields["record"].default


def test_the_records_of_one_topic_can_be_told_apart() -> None:
    for topic in EVENTS:
        tags = [RECORDS[name].model_fields["record"].default for name in topic.holds]
        assert len(set(tags)) == len(tags)


@pytest.mark.parametrize("topic", list(TOPICS.values()), ids=named)
def test_importing_old_events_never_lets_retention_delete_them(topic: Topic) -> None:
    assert topic.settings()["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.parametrize("topic", [topic for topic in EVENTS if topic.compacted], ids=named)
def test_a_compacted_topic_never_deletes_the_latest_record_of_a_key(topic: Topic) -> None:
    assert topic.settings()["cleanup.policy"] == "compact"
    assert topic.settings()["retention.ms"] == "-1"


def test_the_latest_scores_are_kept_for_ever_and_all_of_them_for_thirty_days() -> None:
    assert int(LEAD_SCORED.settings()["min.compaction.lag.ms"]) == 30 * DAY


def test_touches_are_kept_as_long_as_the_longest_horizon() -> None:
    assert int(TOUCHPOINTS.settings()["retention.ms"]) >= HORIZON_DAYS * DAY


@pytest.mark.parametrize("topic", list(DEAD_LETTERED), ids=named)
def test_a_topic_with_dead_letters_has_them_under_its_name_with_its_key(topic: Topic) -> None:
    letters = TOPICS[f"{topic.name}-dlq"]
    assert letters == dead_letters(topic)
    assert letters.key == topic.key
    assert letters.days
    assert letters.readers == ("baton dlq",)


def test_dead_letters_are_only_those_of_topics_that_a_service_reads() -> None:
    assert {name.removesuffix("-dlq") for name in TOPICS if name.endswith("-dlq")} == {t.name for t in DEAD_LETTERED}
    for topic in DEAD_LETTERED:
        assert set(topic.readers) & PROGRAMS


def test_production_topics_lose_nothing_with_one_broker_down() -> None:
    settings = TOUCHPOINTS.settings(production=True)
    assert settings["min.insync.replicas"] == "2"
    assert settings["unclean.leader.election.enable"] == "false"
