import os
import socket
from collections.abc import Iterator

import pytest

from baton.stack import ports
from baton.stack.errors import StackError
from baton.stack.ports import FALLBACK, HOST, choose, free_port, is_free, pinned


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_wanted_port_is_given_when_it_is_free():
    port = free_port()
    assert choose({"redis": port}, {}) == {"redis": port}


def test_wanted_port_that_is_taken_gives_way_to_a_free_one(taken: int):
    port = choose({"redis": taken}, {})["redis"]
    assert port != taken
    assert is_free(port)


def test_pinned_port_that_is_taken_is_an_error_with_holder_and_remedy(taken: int):
    with pytest.raises(StackError) as error:
        choose({"redis": 0}, {"redis": taken})
    assert f"Port {taken} " in str(error.value)
    assert f"process {os.getpid()} (" in str(error.value)
    assert "BATON_REDIS_PORT" in str(error.value)


def test_pinned_port_wins_over_the_wanted_one():
    port = free_port()
    assert choose({"redis": free_port()}, {"redis": port}) == {"redis": port}


def test_one_port_cannot_be_pinned_twice():
    port = free_port()
    with pytest.raises(StackError, match=f"Port {port} is pinned for two servers"):
        choose({"kafka": 0, "redis": 0}, {"kafka": port, "redis": port})


def test_servers_that_want_the_same_port_get_different_ones():
    port = free_port()
    chosen = choose({"kafka": port, "postgres": port, "redis": port}, {})
    assert chosen["kafka"] == port
    assert len(set(chosen.values())) == 3


def test_a_port_that_was_given_is_not_given_again_before_half_of_them_were(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ports, "FALLBACK", FALLBACK[:60])
    monkeypatch.setattr(ports, "_given", set())
    assert len({free_port() for _ in range(30)}) == 30
    assert [free_port() for _ in range(60)], "and then again"


def test_any_free_port_is_none_that_the_system_gives_to_clients():
    assert free_port() in FALLBACK
    assert FALLBACK.stop <= 32_768


def test_pins_are_read_from_the_environment():
    assert pinned({"BATON_KAFKA_PORT": "9092", "BATON_REDIS_PORT": "", "PATH": "/bin"}) == {"kafka": 9092}


@pytest.mark.parametrize("value", ["kafka", "0", "65536", "-1"])
def test_pin_that_is_no_port_is_an_error(value: str):
    with pytest.raises(StackError, match=r"BATON_KAFKA_PORT is .*, which is no port"):
        pinned({"BATON_KAFKA_PORT": value})
