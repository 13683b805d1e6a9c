"""The last bars, kept after the fact: on bar lines, at the tempo, with every note that sounds in them."""

import io
from pathlib import Path

import mido
import pytest

from cgrnn_live.capture import KEEP, Capture, Event, last_bars
from cgrnn_live.clock import MILLISECOND, Arrival, Grid, OfflineClock
from cgrnn_live.ledger import CONTROL, NOTE_OFF, NOTE_ON
from cgrnn_live.midi_clock import CLOCK, SONG_POSITION, START
from cgrnn_live.recording import MODEL, PLAYER
from cgrnn_live.song_clock import SongClock

BEAT = 600 * MILLISECOND  # 100 a minute
GRID = Grid(1_000, BEAT)


def beats(value: float) -> int:
    """The time of a beat."""
    return round(GRID.bar_line + value * BEAT)


def note(track: str, pitch: int, begin: float, end: float) -> list[Event]:
    return [
        Event(track, (NOTE_ON, pitch, 80), beats(begin)),
        Event(track, (NOTE_OFF, pitch, 0), beats(end)),
    ]


def notes(data: bytes) -> dict[str, list[tuple[float, float, int]]]:
    """Per track (begin, end, pitch) in beats."""
    file = mido.MidiFile(file=io.BytesIO(data))
    found: dict[str, list[tuple[float, float, int]]] = {}
    for track in file.tracks[1:]:
        now, begun = 0, {}
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                begun[message.note] = now
            elif message.type in ("note_on", "note_off"):
                begin = begun.pop(message.note)
                found.setdefault(track.name, []).append(
                    (begin / file.ticks_per_beat, now / file.ticks_per_beat, message.note)
                )
        assert not begun
        found.setdefault(track.name, [])
    return found


def test_the_file_begins_on_a_bar_line_and_has_the_tempo() -> None:
    events = note(MODEL, 60, 4.5, 5) + note(MODEL, 62, 9, 10) + note(PLAYER, 64, 12.25, 12.5)
    data = last_bars(events, beats(14), GRID, bars=2)  # within the fourth bar: the third and the fourth
    assert notes(data) == {MODEL: [(1, 2, 62)], PLAYER: [(4.25, 4.5, 64)]}
    tempo = next(message for message in mido.MidiFile(file=io.BytesIO(data)).tracks[0] if message.type == "set_tempo")
    assert mido.tempo2bpm(tempo.tempo) == pytest.approx(100)


def test_who_asks_just_after_a_bar_line_means_the_bars_before_it() -> None:
    events = note(MODEL, 60, 0, 1) + note(MODEL, 62, 4, 5) + note(MODEL, 64, 8.25, 9)
    assert notes(last_bars(events, beats(8.9), GRID, bars=1)) == {MODEL: [(0, 1, 62)]}
    assert notes(last_bars(events, beats(9.1), GRID, bars=1)) == {MODEL: [(0.25, 1, 64)]}


def test_who_asks_in_the_first_beat_of_all_means_that() -> None:
    assert notes(last_bars(note(MODEL, 60, 0.25, 2), beats(0.5), GRID, bars=2)) == {MODEL: [(4.25, 4.5, 60)]}


def test_notes_over_the_edges_are_cut_there() -> None:
    events = note(MODEL, 60, 2, 5) + note(MODEL, 62, 3, 9) + note(MODEL, 64, 7, 20) + note(MODEL, 65, 1, 2)
    assert notes(last_bars(sorted(events, key=lambda event: event.at), beats(8.5), GRID, bars=1)) == {
        MODEL: [(0, 1, 60), (0, 4, 62), (3, 4, 64)]
    }


def test_nothing_played_is_an_empty_file() -> None:
    assert notes(last_bars([], beats(3), GRID, bars=8)) == {MODEL: []}


def test_the_controller_keeps_a_file_of_its_own_each_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = Capture(lambda at: GRID, 2, tmp_path)
    for event in note(MODEL, 60, 1, 2):
        capture.add(*event)
    capture.add(PLAYER, (CLOCK,), beats(2))
    for value in (127, 0, 127):
        capture.hear(Arrival(beats(3), (CONTROL | 5, KEEP, value)))
    capture.hear(Arrival(beats(3), (CONTROL, KEEP - 1, 127)))
    capture.update()
    capture.update()
    files = sorted(tmp_path.glob("jam-*.mid"))
    assert len(files) == 2
    assert all(notes(file.read_bytes()) == {MODEL: [(5, 6, 60)]} for file in files)
    assert capsys.readouterr().err.count("Kept the last 2 bars") == 2


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = Capture(lambda at: GRID, 2, tmp_path / "no")
    capture.hear(Arrival(beats(3), (CONTROL, KEEP, 127)))
    capture.update()
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("position", [0, 200])
def test_the_bars_of_a_song_are_where_its_clock_says(position: int) -> None:
    period = 60_000 / 100 / 24
    song = SongClock(OfflineClock(0.25), 12, 120)
    song.hear(Arrival(0, (START,)))
    song.hear(Arrival(0, (SONG_POSITION, position & 0x7F, position >> 7)))
    for tick in range(130):
        song.hear(Arrival(round((50 + tick * period) * MILLISECOND), (CLOCK,)))
    clocks = 6 * position
    first_bar = 50 + (-clocks % 96) * period
    bar_line, beat = song.grid(round((50 + 125 * period) * MILLISECOND))
    assert beat == pytest.approx(BEAT, rel=1e-6)
    bars = (bar_line / MILLISECOND - first_bar) / (96 * period)
    assert bars == pytest.approx(round(bars), abs=1e-4)
    assert 0 <= 50 + 125 * period - bar_line / MILLISECOND < 96 * period
