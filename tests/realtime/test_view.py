"""What a terminal shows: a player on an offline clock, and standard error that says it is a terminal."""

import io
import re
from collections.abc import Callable

import pytest

from cgrnn_live.clock import MILLISECOND, Arrival, OfflineClock
from cgrnn_live.keys import HELP
from cgrnn_live.midi_clock import CLOCK, START
from cgrnn_live.song_clock import SongClock
from cgrnn_live.view import PATIENCE, View
from stage import Stage, key, pitches

FRAMES = 8
DUE = FRAMES * 250 * MILLISECOND


class Terminal(io.StringIO):
    """Standard error with somebody before it."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def sit(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Terminal:
    """Put a terminal before standard error, in the test itself: for that pytest sets another one than for fixtures."""
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "60", "LINES": "16", **variables}.items():
        monkeypatch.setenv(name, value)
    return terminal


def shown(terminal: Terminal) -> list[str]:
    """The lines that were drawn since the last time, without the codes between them."""
    text = terminal.getvalue()
    terminal.seek(0)
    terminal.truncate()
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r", "\n").split("\n")


def drawn(view: View, terminal: Terminal) -> list[str]:
    """What is drawn at last."""
    shown(terminal)
    for _ in range(PATIENCE + 1):
        view.update()
    return shown(terminal)


def jam() -> Stage:
    """The model plays 60, 61, ... 67 around a 70 that is held from the second frame on."""
    jam = Stage([key(300, 70, down=True)], accompanies=True)
    jam.player.run(FRAMES)
    return jam


def test_the_roll_stands_above_the_lines_and_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = sit(monkeypatch, COLUMNS="70")
    with View(jam().player, lambda: "accompany", now=lambda: DUE, bpm=120.0, keys=True) as view:
        lines = drawn(view, terminal)
    assert len(lines) == 15  # the sixteenth would make the terminal scroll
    assert [line.split() for line in lines if set("▀▄█▘▖▛▙▌") & set(line)] == [
        ["▄▄▄▄▄▄▄"],
        ["▄"],
        ["▄▀"],
        ["▄▀"],
        ["C4", "▄▀"],
    ]
    assert lines[-3] == "accompany: plays  frame 8  notes 8  120.0 BPM"
    assert re.fullmatch(r"sent \+\d\.\d\d ms  step 0\.00 ms  late 0  fewer sweeps 0  held 0  dropped 0", lines[-2])
    assert lines[-1] == HELP[: 70 - 1] + "…"


CYAN, YELLOW = "\x1b[36m", "\x1b[33m"


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}])
def test_colours_tell_the_two_apart_or_the_shape_does(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    terminal = sit(monkeypatch, **variables)
    with View(jam().player, lambda: "accompany", now=lambda: DUE) as view:
        for _ in range(PATIENCE + 1):
            view.update()
        text = terminal.getvalue()
    if variables:
        assert (CYAN in text, YELLOW in text) == (False, False)
        assert "▖▖▖▖▖▖▖" in text
    else:
        assert f"{CYAN}▄" in text
        assert f"{YELLOW}▄▄▄▄▄▄▄" in text


@pytest.mark.parametrize(("name", "value"), [("LINES", "11"), ("COLUMNS", "39")])
def test_a_small_terminal_has_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    terminal = sit(monkeypatch, **{name: value})
    with View(jam().player, lambda: "accompany", now=lambda: DUE) as view:
        view.update()
        lines = shown(terminal)
    assert [line[:35] for line in lines if line.strip()] == ["accompany: plays  frame 8  notes 8 "]


def test_a_terminal_that_has_no_blocks_has_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = sit(monkeypatch)
    monkeypatch.setattr(Terminal, "encoding", "cp1252")
    with View(jam().player, lambda: "accompany", now=lambda: DUE) as view:
        view.update()
        assert "".join(shown(terminal)).startswith("accompany: plays  frame 8  notes 8  +0")


def test_nothing_is_drawn_while_a_frame_is_due_but_where_one_always_is(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = sit(monkeypatch)
    stage = jam()
    assert stage.player.next_due == DUE
    with View(stage.player, lambda: "accompany", now=lambda: DUE - 29 * MILLISECOND) as view:
        shown(terminal)
        for _ in range(PATIENCE):
            view.update()
            assert shown(terminal) == [""]
        view.update()
        assert len(shown(terminal)) > 10
        view.update()
        assert shown(terminal) == [""], "nothing is new"
    with View(stage.player, lambda: "accompany", now=lambda: DUE - 31 * MILLISECOND) as view:
        shown(terminal)
        view.update()
        assert len(shown(terminal)) > 10


def test_the_line_is_left_standing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = sit(monkeypatch)
    with View(jam().player, lambda: "accompany", now=lambda: DUE, keys=True) as view:
        drawn(view, terminal)
    assert {line.strip() for line in shown(terminal)} == {view.line(), ""}


def test_nobody_sees_it_without_a_terminal_or_where_quiet_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = sit(monkeypatch)
    with View(jam().player, lambda: "accompany", now=lambda: DUE, is_shown=False) as view:
        view.update()
    assert terminal.getvalue() == ""
    monkeypatch.setattr(Terminal, "isatty", lambda self: False)
    with View(jam().player, lambda: "accompany", now=lambda: DUE) as view:
        view.update()
    assert terminal.getvalue() == ""


def test_of_a_song_it_tells_tempo_and_phase() -> None:
    """At 120 the last clock comes 4 ms late."""
    period = 60_000 / 120 / 24
    times = [1000 + number * period for number in range(47)] + [1000 + 47 * period + 4]
    arrivals = [Arrival(round(at * MILLISECOND), (CLOCK,)) for at in times]
    clock = SongClock(OfflineClock(0.25, [Arrival(900 * MILLISECOND, (START,)), *arrivals]), 12, 120)
    stage = Stage(clock=clock)
    stage.player.run(4)
    assert View(stage.player, lambda: "free", clock, now=clock.now).lines()[0] == (
        f"free: plays  frame 4  notes 4  {clock.follower.bpm:.1f} BPM  phase +4.0 ms"
    )


def test_the_step_is_what_sampling_took() -> None:
    stage = Stage(cost=lambda call, sweeps: 7 * MILLISECOND)
    stage.player.run(2)
    assert "  step 7.00 ms  " in View(stage.player, lambda: "free", now=stage.clock.now).lines()[1]


def test_the_player_keeps_what_both_sounded_in_each_interval() -> None:
    stage = jam()
    kept = [(pitches(model), pitches(player)) for model, player in stage.player.columns]
    assert kept == [([60], []), *[([number], [70]) for number in range(61, 60 + FRAMES - 1)]]
    assert stage.player.sounding is not None  # of the last interval, which nobody has closed
    assert [list(who) for who in stage.player.sounding] == [[], [70]]


def test_a_player_that_nobody_looks_at_keeps_few() -> None:
    stage = Stage()
    stage.player.run(1000)
    assert len(stage.player.columns) < 100


class Looking(OfflineClock):
    """Calls `look` when something arrives, before the player has it."""

    look: Callable[[], None]

    def wait(self, until: int) -> Arrival | None:
        if (arrival := super().wait(until)) is not None:
            self.look()
        return arrival


def test_what_sounds_is_seen_before_the_interval_is_over() -> None:
    clock = Looking(0.25, [key(300, 61, down=True), key(400, 70, down=True), key(490, 70, down=False)])
    stage = Stage(clock=clock, accompanies=True)
    seen = []
    clock.look = lambda: seen.append([list(who) for who in stage.player.sounding or ()])
    stage.player.run(3)
    # The model's 61, which the player then takes over; the last comes after the cut-off: no interval is open.
    assert seen == [[[61], []], [[], [61]], []]
