"""Keys and what they mean; a real terminal where there are pseudo-terminals."""

import io
import os
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from cgrnn_live.clock import MILLISECOND, Arrival
from cgrnn_live.keys import Keys
from cgrnn_live.ledger import Message
from cgrnn_live.roles import Mode, Modes
from stage import Stage


def pressed(*typed: str) -> tuple[list[Message], int]:
    """The messages of what was typed, piece by piece, and how often it asked for the end."""
    put: list[Arrival] = []
    stops: list[None] = []
    keys = Keys(put.append, lambda: 7, lambda: stops.append(None))
    for text in typed:
        keys.press(text)
    assert all(arrival.at == 7 for arrival in put)
    return [arrival.message for arrival in put], len(stops)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("f", (0xC0, 0)),
        ("c", (0xC0, 1)),
        ("a", (0xC0, 2)),
        ("A", (0xC0, 2)),
        ("t", (0xB0, 31, 127)),
        ("\n", (0xB0, 31, 127)),
        ("\r", (0xB0, 31, 127)),
        (" ", (0xB0, 120, 0)),
        ("p", (0xB0, 120, 0)),
        ("k", (0xB0, 29, 127)),
        ("1", (0xB0, 28, 1)),
        ("9", (0xB0, 28, 9)),
    ],
)
def test_each_key_is_a_control_message(key: str, message: Message) -> None:
    assert pressed(key) == ([message], 0)


def test_s_and_a_digit_save_whether_they_come_together_or_not() -> None:
    assert pressed("s", "3") == pressed("s3") == ([(0xB0, 27, 3)], 0)
    assert pressed("s3", "3") == ([(0xB0, 27, 3), (0xB0, 28, 3)], 0)


def test_s_means_nothing_to_any_other_key() -> None:
    assert pressed("sf3") == ([(0xC0, 0), (0xB0, 28, 3)], 0)
    assert pressed("ss4") == ([(0xB0, 27, 4)], 0)


@pytest.mark.parametrize("key", ["0", "x", "é", "\x00", "\t", "\x7f"])
def test_other_keys_are_ignored(key: str) -> None:
    assert pressed(key) == ([], 0)


@pytest.mark.parametrize("key", ["\x1b[A", "\x1bOP", "\x1b[15~", "\x1b[1;5C", "\x1bf", "\x1b"])
def test_arrows_function_keys_and_escape_are_ignored(key: str) -> None:
    assert pressed(key) == ([], 0)
    assert pressed(key + "\x1b[B" + "k") == ([(0xB0, 29, 127)], 0)


@pytest.mark.parametrize("key", ["q", "Q", "\x03"])
def test_q_stops(key: str) -> None:
    assert pressed(key) == ([], 1)


@pytest.mark.parametrize("has_input", [True, False])
@pytest.mark.parametrize(("key", "mode"), [("c", "continue"), ("a", "accompany"), ("f", "free")])
def test_keys_choose_the_mode_with_an_input_and_without(key: str, mode: Mode, has_input: bool) -> None:
    arrivals: list[Arrival] = []
    Keys(arrivals.append, lambda: 600 * MILLISECOND, lambda: None).press(key)
    modes = Modes("continue" if mode == "free" else "free", begins=True, patience=4)
    stage = Stage(arrivals, role=modes, has_input=has_input)
    stage.player.run(4)
    assert modes.mode == mode
    assert [message for message, _ in stage.monitored] == [arrival.message for arrival in arrivals]
    assert [at for at, _ in stage.ons()] == [0.0, 250.0, 500.0, 750.0]


@pytest.mark.parametrize("has_input", [True, False])
def test_space_ends_every_note_at_once_and_t_passes_the_turn(has_input: bool) -> None:
    arrivals: list[Arrival] = []
    times = iter([600, 800, 1300])
    keys = Keys(arrivals.append, lambda: next(times) * MILLISECOND, lambda: None)
    keys.press(" t\n")
    stage = Stage(arrivals, role=Modes("continue", begins=True, patience=4), has_input=has_input)
    stage.player.run(8)
    assert [at for at, _ in stage.ons()] == [0.0, 250.0, 500.0, 750.0, 1500.0, 1750.0]
    assert [at for at, _ in stage.offs()][2:4] == [600.0, 800.0]


@pytest.mark.parametrize("stdin", [None, io.StringIO("fca")])
def test_what_is_no_terminal_is_never_read(monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO | None) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    put: list[Arrival] = []
    with Keys(put.append, lambda: 0, lambda: None) as keys:
        assert not keys.are_read
    assert (put, stdin and stdin.tell()) == ([], stdin and 0)


def test_nor_is_what_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stdin", closed)
    with Keys(lambda arrival: None, lambda: 0, lambda: None) as keys:
        assert not keys.are_read


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """A terminal at standard input: its keyboard's side, and its program's."""
    pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX's")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield ours, theirs
    os.close(ours)


def test_a_terminal_is_read_key_by_key_and_gets_its_settings_back(keyboard: tuple[int, int]) -> None:
    termios = pytest.importorskip("termios")
    ours, theirs = keyboard
    before = termios.tcgetattr(theirs)
    put: SimpleQueue[Arrival] = SimpleQueue()

    def fail() -> None:
        with Keys(put.put, lambda: 0, lambda: None) as keys:
            assert keys.are_read
            assert termios.tcgetattr(theirs) != before
            os.write(ours, b"c")
            assert put.get(timeout=10).message == (0xC0, 1)
            os.write(ours, b"\x1b[15~s2")
            assert put.get(timeout=10).message == (0xB0, 27, 2)
            raise ArithmeticError("injected")

    with pytest.raises(ArithmeticError, match="injected"):
        fail()
    assert termios.tcgetattr(theirs) == before
    assert put.empty()


def test_a_terminal_is_left_alone_where_keys_are_not_wanted(keyboard: tuple[int, int]) -> None:
    termios = pytest.importorskip("termios")
    before = termios.tcgetattr(keyboard[1])
    with Keys(lambda arrival: None, lambda: 0, lambda: None, are_wanted=False) as keys:
        assert not keys.are_read
        assert termios.tcgetattr(keyboard[1]) == before
