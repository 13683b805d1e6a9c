"""A log plays again what was played: whatever came in, however late the loop was, and as far as the log goes."""

import signal
from collections import deque
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgrnn_live.clock import MILLISECOND, SECOND, Arrival, Clock, OfflineClock, Stopped
from cgrnn_live.ledger import NOTE_OFF, NOTE_ON
from cgrnn_live.midi_clock import CLOCK, START, STOP
from cgrnn_live.recording import FileError
from cgrnn_live.replay import replay
from cgrnn_live.roles import Modes
from cgrnn_live.session_log import LogError, LoggedClock, LoggingClock, SessionLog
from cgrnn_live.song_clock import SongClock
from stage import Stage

NOTES = st.tuples(
    st.integers(0, 3_000),
    st.builds(lambda kind, pitch: (kind, pitch, 64), st.sampled_from([NOTE_ON, NOTE_OFF]), st.integers(40, 60)),
)


def perform(time: Clock, costs: list[int], *, is_synced: bool, stops_at: int) -> list:
    """Everything that a stage sends on this clock, with a model that takes its time."""

    def cost(call: int, sweeps: int) -> int:
        if call == stops_at:
            stage.player.stop()
        return costs[call % len(costs)] * MILLISECOND

    clock = SongClock(time, 12, 120) if is_synced else time
    stage = Stage(clock=clock, cost=cost, role=Modes("accompany", begins=True, patience=2))
    with suppress(Stopped):  # a log that was cut off just before its end
        stage.player.run(None if is_synced else 12)
    return stage.sent


@settings(max_examples=200, deadline=None)
@given(
    st.lists(NOTES, max_size=20), st.lists(st.integers(0, 600), min_size=1), st.booleans(), st.integers(2, 8), st.data()
)
def test_what_was_logged_is_played_again(
    notes: list, costs: list[int], is_synced: bool, stops_at: int, data: st.DataObject
) -> None:
    arrivals = [Arrival(at * MILLISECOND, message) for at, message in notes]
    if is_synced:
        arrivals += [Arrival(0, (START,)), *(Arrival((5 + 21 * tick) * MILLISECOND, (CLOCK,)) for tick in range(150))]
        arrivals += [Arrival(3_200 * MILLISECOND, (STOP,))]
    arrivals.sort(key=lambda arrival: arrival.at)
    entries: deque[str] = deque()
    offline = OfflineClock(0.25, arrivals)
    if is_synced:
        _end_after(offline, 4 * SECOND)
    sent = perform(LoggingClock(offline, entries), costs, is_synced=is_synced, stops_at=stops_at)
    lines = [f"{entry}\n" for entry in entries]
    again = perform(LoggedClock(0.25, iter(lines)), costs, is_synced=is_synced, stops_at=-1)
    assert again == sent

    cut = "".join(lines)[: data.draw(st.integers(0, len("".join(lines))))]
    part = perform(LoggedClock(0.25, iter(cut.splitlines(keepends=True))), costs, is_synced=is_synced, stops_at=-1)
    ons = [event for event in sent if event[1][0] == NOTE_ON]
    played = [event for event in part if event[1][0] == NOTE_ON]
    assert played == ons[: len(played)]


def _end_after(clock: OfflineClock, at: int) -> None:
    """Stop the player by then, as a signal would: a song that stands would keep it waiting for ever."""
    wait = clock.wait

    def waits(until: int) -> Arrival | None:
        if clock.now() > at:
            clock.stop()
        return wait(until)

    clock.wait = waits


def test_a_line_that_is_not_what_the_player_asked_for_is_said() -> None:
    entries: deque[str] = deque()
    perform(LoggingClock(OfflineClock(0.25), entries), [0], is_synced=False, stops_at=-1)
    lines = [f"{entry}\n" for entry in entries]
    for line in ("x\n", "n\n", "n 1 2\n", "m 5 9g\n", "\n", "o 1\n", "n one\n"):
        with pytest.raises(LogError, match=r"^Line 7 of the log is .* was expected: it was changed"):
            perform(LoggedClock(0.25, iter([*lines[:5], line])), [0], is_synced=False, stops_at=-1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "does not begin as a log does"),
        ("{}\n", "does not begin as a log does"),
        ("[1]\n", "does not begin as a log does"),
        ('{"format": 1, "setup": {}}\n', "does not begin as a log does"),
        ('{"format": 7, "version": "9.9"}\n', r"has the format 7, expected 1; replay it with cgrnn-live 9\.9"),
        ("\xff\n", "cannot be read as a log"),
    ],
)
def test_a_file_that_is_no_log_is_one_sentence(text: str, says: str, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(text, encoding="latin-1")
    with pytest.raises(LogError, match=says):
        replay(log, tmp_path / "a.mid")
    assert not (tmp_path / "a.mid").exists()


def test_a_log_that_is_missing_or_is_the_output_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="give a file that --log wrote"):
        replay(tmp_path / "none.log", tmp_path / "a.mid")
    log = tmp_path / "a.log"
    log.touch()
    with pytest.raises(FileError, match="is the log itself"):
        replay(log, log)


def test_a_log_that_cannot_be_written_is_said_before_anything_plays(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        SessionLog(tmp_path / "no" / "a.log", {})


def test_a_disk_that_fills_up_ends_the_log_and_not_the_music(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = pytest.importorskip("resource", reason="limits of a file's size are POSIX's")
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = SessionLog(tmp_path / "a.log", {})
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        for _ in range(3):
            log.entries.extend(["n 1234567"] * 1000)
            log.update()
        log.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert capsys.readouterr().err.count("The music goes on; the log ends here.") == 1
    assert not log.entries
