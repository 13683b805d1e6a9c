import io
import time
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgrnn_live.beats import Moment
from cgrnn_live.midifile import TICKS_PER_BEAT, Track, midi_file
from cgrnn_live.recording import MODEL, PLAYER, SAVE_SECONDS, FileError, Recording, write_whole

ON, OFF = 0x90, 0x80


def read(data: bytes) -> mido.MidiFile:
    return mido.MidiFile(file=io.BytesIO(data))


def channel_messages(track: mido.MidiTrack) -> list[tuple[int, tuple[int, ...]]]:
    """Return (tick, bytes) of the messages that are not meta."""
    now = 0
    found: list[tuple[int, tuple[int, ...]]] = []
    for message in track:
        now += message.time
        if not message.is_meta:
            found.append((now, tuple(message.bytes())))
    return found


# ---- the file format, against an independent reader

channel_message = st.one_of(
    st.tuples(st.integers(0x80, 0xBF), st.integers(0, 127), st.integers(0, 127)),
    st.tuples(st.integers(0xC0, 0xDF), st.integers(0, 127)),
    st.tuples(st.integers(0xE0, 0xEF), st.integers(0, 127), st.integers(0, 127)),
)


@given(st.lists(st.tuples(st.integers(0, 1 << 21), channel_message)))
def test_mido_reads_what_was_written(events: list[tuple[int, tuple[int, ...]]]) -> None:
    track = Track("t", 120)
    now, expected = 0, []
    for gap, message in events:
        now += gap
        track.add(message, now / (2 * TICKS_PER_BEAT))
        expected.append((now, message))
    file = read(midi_file([track.chunk()], 120))
    written = channel_messages(file.tracks[1])
    assert written[: len(expected)] == expected
    assert all(message[0] & 0xF0 == OFF for _, message in written[len(expected) :])
    assert (file.type, file.ticks_per_beat, len(file.tracks)) == (1, TICKS_PER_BEAT, 2)


def test_the_tempo_makes_ticks_seconds_again() -> None:
    track = Track("t", 97)
    track.add((ON, 60, 1), 10.0)
    assert read(midi_file([track.chunk(20.0)], 97)).length == pytest.approx(20.0, abs=2e-3)  # a tick is 1.3 ms


def test_a_message_out_of_order_is_put_at_the_last_ones_time() -> None:
    track = Track("t", 120)
    track.add((ON, 60, 1), 1.0)
    track.add((OFF, 60, 0), 0.5)
    assert [tick for tick, _ in channel_messages(read(midi_file([track.chunk()], 120)).tracks[1])] == [960, 960]


def test_notes_that_still_sound_end_when_the_track_does() -> None:
    track = Track("t", 120)
    for message in [(ON, 60, 1), (ON | 3, 60, 1), (ON, 62, 1), (ON, 62, 0)]:
        track.add(message, 1.0)
    ends = channel_messages(read(midi_file([track.chunk(2.0)], 120)).tracks[1])[4:]
    assert ends == [(1920, (OFF, 60, 0)), (1920, (OFF | 3, 60, 0))]


# ---- a recording


def at(seconds: float) -> Moment:
    """A moment at 120 beats a minute."""
    return Moment(2 * seconds, 120.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "take.mid"


def test_the_file_is_valid_from_the_beginning(path: Path) -> None:
    Recording(path, 120.0)
    assert [track.name for track in mido.MidiFile(path).tracks] == ["", MODEL]


def test_each_side_has_a_track_and_times_count_from_frame_0(path: Path) -> None:
    recording = Recording(path, 120.0)
    recording.add(MODEL, (ON, 60, 80), at(0))
    recording.add(PLAYER, (ON, 72, 80), at(0.5))
    recording.add(MODEL, (OFF, 60, 0), at(1))
    recording.add(MODEL, (0xB0, 123, 0), at(2))
    recording.save()
    model, player = mido.MidiFile(path).tracks[1:]
    assert (model.name, channel_messages(model)) == (
        MODEL,
        [(0, (ON, 60, 80)), (960, (OFF, 60, 0)), (1920, (0xB0, 123, 0))],
    )
    assert (player.name, channel_messages(player)) == (PLAYER, [(480, (ON, 72, 80)), (1920, (OFF, 72, 0))])


@pytest.mark.parametrize("message", [(0xFA,), (0xFC,), (0xF8,), (0xF2, 0, 64), (0xFF,), (0xF0, 1, 0xF7)])
def test_what_is_no_channel_message_is_left_out(path: Path, message: tuple[int, ...]) -> None:
    recording = Recording(path, 120.0)
    recording.add(PLAYER, message, at(0))
    recording.add(PLAYER, (ON, 60, 80), at(1))
    recording.add(PLAYER, (OFF, 60, 0), at(2))
    recording.save()
    assert channel_messages(mido.MidiFile(path).tracks[2]) == [(960, (ON, 60, 80)), (1920, (OFF, 60, 0))]


def pass_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as between two savings."""
    later = time.monotonic() + SAVE_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)


def test_it_is_saved_every_few_seconds_and_not_at_each_look(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording(path, 120.0)
    recording.add(MODEL, (ON, 60, 80), at(0))
    recording.update()
    assert not channel_messages(mido.MidiFile(path).tracks[1])
    pass_time(monkeypatch)
    recording.update()
    assert channel_messages(mido.MidiFile(path).tracks[1])


@pytest.fixture
def full_disk() -> "FullDisk":
    return FullDisk()


class FullDisk:
    """Lets this process write no file longer than some bytes: what a full disk does, on a real file system."""

    def __enter__(self) -> None:
        resource = pytest.importorskip("resource", reason="file size limits are POSIX's")
        self.limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, self.limits[1]))

    def __exit__(self, *_: object) -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, self.limits)


def play_much(recording: Recording) -> None:
    for second in range(100):
        recording.add(MODEL, (ON, 60, 80), at(second))
        recording.add(MODEL, (OFF, 60, 0), at(second + 1))


def test_a_full_disk_is_said_once_and_the_last_file_stays(
    path: Path, full_disk: FullDisk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Recording(path, 120.0)
    play_much(recording)
    with full_disk:
        for _ in range(3):
            pass_time(monkeypatch)
            recording.update()
    message = capsys.readouterr().err
    assert message.count(f"{path} cannot be written") == 1
    assert len(mido.MidiFile(path).tracks) == 2
    assert list(path.parent.iterdir()) == [path], "nothing half-written is left behind"


def test_the_disk_may_have_room_again(path: Path, full_disk: FullDisk) -> None:
    recording = Recording(path, 120.0)
    play_much(recording)
    with full_disk, pytest.raises(FileError, match="cannot be written"):
        recording.save()
    recording.save()
    assert len(channel_messages(mido.MidiFile(path).tracks[1])) == 200


def test_a_folder_that_is_not_there_is_said_before_anything_is_played(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        Recording(tmp_path / "nowhere" / "take.mid", 120.0)


def test_what_is_not_a_file_is_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is not a file"):
        write_whole(tmp_path, b"")
    assert tmp_path.is_dir()


def test_a_name_longer_than_a_file_system_takes_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        write_whole(tmp_path / (300 * "x"), b"")


def test_random_bytes_survive_writing(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(1000)
    write_whole(tmp_path / "x", b"before")
    write_whole(tmp_path / "x", data)
    assert (tmp_path / "x").read_bytes() == data


def test_the_file_has_the_tempo_that_was_played(path: Path) -> None:
    """Bars lie on its beats, whatever was expected."""
    recording = Recording(path, 120.0)
    for beat in range(9):
        recording.add(MODEL, (ON, 60, 80), Moment(beat, 97.0 + (beat == 3)))
        recording.add(MODEL, (OFF, 60, 0), Moment(beat + 0.5, 97.0))
    recording.save()
    file = mido.MidiFile(path)
    assert mido.tempo2bpm(file.tracks[0][0].tempo) == pytest.approx(97)
    assert [tick for tick, message in channel_messages(file.tracks[1]) if message[0] == ON] == [
        beat * TICKS_PER_BEAT for beat in range(9)
    ]
