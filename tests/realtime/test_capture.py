"""The last bars, kept after the fact: on bar lines, at the tempo, with every note that sounds in them."""

import io
from pathlib import Path

import mido
import pytest

from cgrnn_live.beats import EvenBeats, Moment
from cgrnn_live.capture import KEEP, Capture, Event, last_bars
from cgrnn_live.clock import MILLISECOND, Arrival
from cgrnn_live.ledger import CONTROL, NOTE_OFF, NOTE_ON
from cgrnn_live.midi_clock import CLOCK
from cgrnn_live.recording import MODEL, PLAYER

BPM = 100.0


def note(track: str, pitch: int, begin: float, end: float) -> list[Event]:
    return [
        Event(track, (NOTE_ON, pitch, 80), Moment(begin, BPM)),
        Event(track, (NOTE_OFF, pitch, 0), Moment(end, BPM)),
    ]


def kept(events: list[Event], now: float, bars: int) -> tuple[int, dict[str, list[tuple[float, float, int]]]]:
    """How many bars are kept, and the notes in them."""
    count, data = last_bars(events, Moment(now, BPM), bars)
    return count, notes(data) if count else {}


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
    count, data = last_bars(events, Moment(14, 99.0), 2)  # within the fourth bar: the third and the fourth
    assert (count, notes(data)) == (2, {MODEL: [(1, 2, 62)], PLAYER: [(4.25, 4.5, 64)]})
    tempo = next(message for message in mido.MidiFile(file=io.BytesIO(data)).tracks[0] if message.type == "set_tempo")
    assert mido.tempo2bpm(tempo.tempo) == pytest.approx(BPM)


def test_who_asks_just_after_a_bar_line_means_the_bars_before_it() -> None:
    events = note(MODEL, 60, 0, 1) + note(MODEL, 62, 4, 5) + note(MODEL, 64, 8.25, 9)
    assert kept(events, 8.9, 1) == (1, {MODEL: [(0, 1, 62)]})
    assert kept(events, 9.1, 1) == (1, {MODEL: [(0.25, 1, 64)]})


def test_who_asks_in_the_first_beat_of_all_means_that() -> None:
    assert kept(note(MODEL, 60, 0.25, 2), 0.5, 2) == (1, {MODEL: [(0.25, 0.5, 60)]})


def test_bars_before_the_first_note_are_left_out() -> None:
    events = note(PLAYER, 60, 9, 10) + note(MODEL, 62, 13, 14)
    assert kept(events, 15, 8) == (2, {MODEL: [(5, 6, 62)], PLAYER: [(1, 2, 60)]})


def test_notes_over_the_edges_are_cut_there() -> None:
    events = note(MODEL, 60, 2, 5) + note(MODEL, 62, 3, 9) + note(MODEL, 64, 7, 20) + note(MODEL, 65, 1, 2)
    events.sort(key=lambda event: event.moment.beats)
    assert kept(events, 8.5, 1) == (1, {MODEL: [(0, 1, 60), (0, 4, 62), (3, 4, 64)]})


def test_where_nothing_was_played_nothing_is_kept() -> None:
    assert last_bars([], Moment(3, BPM), 8)[0] == 0
    assert last_bars(note(MODEL, 60, 1, 2), Moment(30, BPM), 2)[0] == 0


def test_the_controller_keeps_a_file_of_its_own_each_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = Capture(EvenBeats(lambda: 0, BPM), 2, tmp_path)
    at = 4 * 600 * MILLISECOND
    capture.hear(Arrival(at, (CONTROL, KEEP, 127)))
    capture.update()
    assert list(tmp_path.iterdir()) == []
    for event in note(MODEL, 60, 1, 2):
        capture.add(*event)
    capture.add(MODEL, (0xC3, 5), Moment(2, BPM))
    capture.add(PLAYER, (CLOCK,), Moment(2, BPM))
    for value in (127, 0, 127):
        capture.hear(Arrival(at - 1, (CONTROL | 5, KEEP, value)))
    capture.hear(Arrival(at, (CONTROL, KEEP - 1, 127)))
    capture.update()
    capture.update()
    files = sorted(tmp_path.glob("jam-*.mid"))
    assert len(files) == 2
    assert all(notes(file.read_bytes()) == {MODEL: [(1, 2, 60)]} for file in files)
    said = capsys.readouterr().err
    assert said.count("Kept the last bar: ") == 2
    assert said.count("nothing is kept") == 1


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = Capture(EvenBeats(lambda: 0, BPM), 2, tmp_path / "no")
    for event in note(MODEL, 60, 0, 2):
        capture.add(*event)
    capture.hear(Arrival(600 * MILLISECOND, (CONTROL, KEEP, 127)))
    capture.update()
    assert "cannot be written" in capsys.readouterr().err
