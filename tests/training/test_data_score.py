"""The notes of MIDI files: ours against pretty_midi's, through the same frame rule applied by a slow, plain loop."""

import io
import os
import warnings
import zipfile
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgrnn_bundle.frames import PITCHES, FrameSpec, Rule, notes_to_frames
from cgrnn_train.data.errors import UnusableFileError
from cgrnn_train.data.score import read_score

TicksNote = tuple[int, int, int, int]  # channel, pitch, start, length; the last two in ticks, 480 a quarter note
DRUMS = 9


def midi_bytes(notes: list[TicksNote], tempos: dict[int, int] | None = None) -> bytes:
    """Write a file: a track of tempos (tick to microseconds a quarter note) and one of notes."""
    tempo_events = [
        (tick, 0, mido.MetaMessage("set_tempo", tempo=tempo)) for tick, tempo in sorted((tempos or {}).items())
    ]
    note_events = [
        (tick, order, mido.Message(kind, channel=channel, note=pitch, velocity=64))
        for channel, pitch, start, length in notes
        for tick, order, kind in ((start, 1, "note_on"), (start + length, 0 if length else 2, "note_off"))
    ]
    midi = mido.MidiFile(ticks_per_beat=480)
    for events in (tempo_events, note_events):
        track = midi.add_track()
        now = 0
        for tick, _, message in sorted(events, key=lambda event: event[:2]):
            track.append(message.copy(time=tick - now))
            now = tick
    file = io.BytesIO()
    midi.save(file=file)
    return file.getvalue()


def slow_roll(data: bytes, spec: FrameSpec, frame_count: int) -> np.ndarray:
    """Apply the rule to pretty_midi's notes, note by note and frame by frame."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        midi = pretty_midi.PrettyMIDI(io.BytesIO(data))
    roll = np.zeros((frame_count, PITCHES), bool)
    near = 1e-9  # seconds: two sums of the same tempos differ by less
    for note in (note for each in midi.instruments if not each.is_drum for note in each.notes):
        for frame in range(int(note.start / spec.frame_seconds), frame_count):
            opens, closes = frame * spec.frame_seconds, (frame + 1) * spec.frame_seconds
            if opens >= note.end + near:
                break
            starts = opens - near <= note.start < closes - near
            sounds = min(note.end, closes) - max(note.start, opens)
            enough = sounds >= spec.frame_seconds / 2 - near if spec.rule == "half" else sounds > near
            roll[frame, note.pitch] |= starts or enough
    return roll


def our_roll(data: bytes, spec: FrameSpec) -> np.ndarray:
    score = read_score(data)
    longest = int(score.end.max() / spec.frame_seconds) + 2
    return notes_to_frames(score.pitch, score.start, score.end, spec, longest)


def assert_agrees(data: bytes, rule: Rule = "half") -> None:
    spec = FrameSpec(0.25, rule)
    roll = our_roll(data, spec)
    assert np.array_equal(roll, slow_roll(data, spec, len(roll)))


ticks_notes = st.lists(
    st.tuples(st.sampled_from([0, 1, DRUMS]), st.integers(60, 63), st.integers(0, 4000), st.integers(1, 2000)),
    min_size=1,
    max_size=15,
).map(lambda notes: [(0, 40, 0, 100), *notes])  # one note that is no drum, so that the file is never empty
tempo_maps = st.dictionaries(st.integers(0, 5000), st.integers(200_000, 1_500_000), max_size=4)


@settings(deadline=None)
@given(ticks_notes, tempo_maps, st.sampled_from(["half", "cover"]))
def test_any_small_file_agrees_with_pretty_midi(notes: list[TicksNote], tempos: dict[int, int], rule: Rule):
    assert_agrees(midi_bytes(notes, tempos), rule)


def test_tempo_changes_move_the_notes():
    data = midi_bytes([(0, 60, 960, 480), (0, 62, 1920, 480)], {0: 500_000, 960: 1_000_000, 1440: 250_000})
    score = read_score(data)
    assert score.start.tolist() == [1.0, 2.25]
    assert score.end.tolist() == [2.0, 2.5]
    assert score.tempo_start.tolist() == [0.0, 1.0, 2.0]
    assert score.tempo_bpm.tolist() == [120.0, 60.0, 240.0]
    assert score.beats(np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.25])).tolist() == [0.0, 1.0, 2.0, 2.5, 3.0, 4.0]
    assert_agrees(data)


def test_a_file_without_a_tempo_plays_at_120():
    assert read_score(midi_bytes([(0, 60, 480, 480)])).start.tolist() == [0.5]
    late = read_score(midi_bytes([(0, 60, 960, 480)], {480: 1_000_000}))
    assert late.start.tolist() == [1.5]


def test_drums_are_left_out():
    data = midi_bytes([(0, 60, 0, 480), (DRUMS, 35, 0, 480)])
    assert read_score(data).pitch.tolist() == [60]
    with pytest.raises(UnusableFileError, match="no note outside the drum channel"):
        read_score(midi_bytes([(DRUMS, 35, 0, 480)]))


def test_the_first_note_off_ends_a_repeated_key():
    # Struck twice and released twice, and then a note-off is lost: first in, first out would lengthen all that follow.
    data = midi_bytes([(0, 60, 0, 960), (0, 60, 480, 960)])
    assert read_score(data).end.tolist() == [1.0, 1.0]
    assert_agrees(data)


def test_a_note_that_ends_where_the_next_begins_keeps_its_length():
    assert read_score(midi_bytes([(0, 60, 0, 480), (0, 60, 480, 480)])).end.tolist() == [0.5, 1.0]


def test_the_same_key_on_another_channel_is_another_note():
    score = read_score(midi_bytes([(0, 60, 0, 1920), (1, 60, 240, 240)]))
    assert sorted(score.end.tolist()) == [0.5, 2.0]


def test_a_note_of_no_length_is_kept():
    roll = our_roll(midi_bytes([(0, 60, 480, 0), (0, 62, 0, 480)]), FrameSpec())
    assert np.flatnonzero(roll[:, 60]).tolist() == [2]


def test_a_file_that_symusic_refuses_is_read_by_pretty_midi():
    data = bytearray(midi_bytes([(0, 60, 480, 480), (DRUMS, 35, 0, 480)], {0: 250_000}))
    data[8:10] = (19).to_bytes(2, "big")  # the header's format, of which there are 0, 1 and 2
    score = read_score(bytes(data))
    assert (score.pitch.tolist(), score.start.tolist(), score.end.tolist()) == ([60], [0.25], [0.5])
    assert score.tempo_bpm.tolist() == [240.0]


@pytest.mark.parametrize("data", [b"", b"RIFF" + bytes(40), midi_bytes([(0, 60, 0, 480)])[:-9]])
def test_a_file_that_neither_reads_gives_both_reasons(data: bytes):
    with pytest.raises(UnusableFileError, match=r"does not parse \(symusic: .*; pretty_midi: .*\)"):
        read_score(data)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=8))
def test_no_bytes_do_worse_than_be_refused(changes: list[tuple[int, int]]):
    data = bytearray(midi_bytes([(0, 60, 0, 480), (0, 64, 240, 480), (1, 67, 480, 0)], {0: 500_000, 480: 400_000}))
    for place, byte in changes:
        data[place % len(data)] = byte
    try:
        score = read_score(bytes(data))
    except UnusableFileError:
        return
    assert score.pitch.shape == score.start.shape == score.end.shape
    assert (score.end >= score.start).all()
    assert np.isfinite(score.tempo_bpm).all()


@pytest.mark.slow
@pytest.mark.parametrize(("archive", "exact"), [("pop909.zip", 0.98), ("lakh_clean_midi_subset.zip", 0.9)])
def test_a_hundred_real_files_agree_with_pretty_midi(archive: str, exact: float):
    # The few that differ: notes of no length (ours keeps them), keys whose last note-off is lost (symusic drops that
    # note), tempo events off the first track (pretty_midi ignores them).
    path = Path(os.environ.get("CGRNN_DATA", "")) / archive
    if "CGRNN_DATA" not in os.environ or not path.is_file():
        pytest.skip(f"set CGRNN_DATA to a folder that holds {archive}")
    agreeing = files = differing_cells = cells = 0
    with zipfile.ZipFile(path) as source:
        names = sorted(name for name in source.namelist() if name.endswith(".mid"))
        for name in np.random.default_rng(0).permutation(names)[:110]:
            try:
                roll = our_roll(source.read(name), FrameSpec())
                theirs = slow_roll(source.read(name), FrameSpec(), len(roll))
            except (ValueError, OSError):  # each parser refuses some: ours by a ValueError, pretty_midi by either
                continue
            files += 1
            agreeing += np.array_equal(roll, theirs)
            differing_cells += int((roll != theirs).sum())
            cells += int(theirs.sum())
    print(f"{archive}: {agreeing} of {files} files agree exactly, {differing_cells} of {cells} cells differ")
    assert files >= 100
    assert agreeing >= exact * files
    assert differing_cells <= 0.005 * cells
