"""`prepare midi` and `prepare lakh`, from real files in folders and zips to data sets, and all that can go wrong."""

import io
import json
import multiprocessing
import zipfile
from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import pytest
from typer.testing import CliRunner

from cgrnn_bundle.frames import FrameSpec
from cgrnn_train.data import source as source_room
from cgrnn_train.data.command import app
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.lakh import artist, prepare_lakh
from cgrnn_train.data.midi import prepare_midi
from cgrnn_train.data.packed import PackedFrames
from cgrnn_train.data.sequences import sequences
from cgrnn_train.data.source import MAX_FILE_BYTES, list_midi, read_file


def song(pitch: int, seconds: float, lead_seconds: float = 0.0) -> bytes:
    """One note after another, half a second each, up and down an octave from `pitch`."""
    midi = mido.MidiFile(ticks_per_beat=480)
    track = midi.add_track()
    for number in range(round(seconds * 2)):
        note = pitch + number % 12
        track.append(mido.Message("note_on", note=note, time=0 if number else round(lead_seconds * 960)))
        track.append(mido.Message("note_off", note=note, time=480))
    file = io.BytesIO()
    midi.save(file=file)
    return file.getvalue()


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def unzipped(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def report(out: Path) -> dict[str, str]:
    """Return the skipped files and reasons, after a look that both reports name them."""
    skipped = json.loads((out / "report.json").read_text(encoding="utf-8"))["skipped_files"]
    for_people = (out / "report.md").read_text(encoding="utf-8")
    assert all(f"`{name}` {reason}" in for_people for name, reason in skipped.items())
    return skipped


@pytest.mark.parametrize("store", [zipped, unzipped])
def test_each_file_is_a_piece_and_each_skipped_file_is_reported(
    tmp_path: Path, store: Callable[[Path, dict[str, bytes]], Path]
):
    files = {
        "a.mid": song(40, 2),
        "deep/er/b.MIDI": song(60, 3, lead_seconds=1.3),
        "c.kar": song(40, 2),
        "broken.mid": b"MThd and no more",
        "huge.mid": bytes(MAX_FILE_BYTES + 1),
        "readme.txt": b"no music",
        "__MACOSX/._a.mid": b"a resource fork",
    }
    out = tmp_path / "set"
    meta = prepare_midi(store(tmp_path / "music", files), out, FrameSpec(), licence="CC0", description="Songs")
    data = PackedFrames.open(out)
    assert {piece.name: piece.length for piece in data.pieces()} == {"a.mid": 8, "deep/er/b.MIDI": 12}
    assert meta["files"] == {"files": 5, "used": 2, "skipped": 3}
    assert (meta["source"], meta["licence"], data.spec) == ("Songs", "CC0", FrameSpec())
    skipped = report(out)
    assert set(skipped) == {"broken.mid", "c.kar", "huge.mid"}
    assert "does not parse" in skipped["broken.mid"]
    assert skipped["c.kar"] == "has the same frames as a.mid"
    assert skipped["huge.mid"] == "is larger than 8 MB"
    assert not multiprocessing.active_children()


def test_a_piece_begins_with_its_first_note(tmp_path: Path):
    out = tmp_path / "set"
    prepare_midi(zipped(tmp_path / "z.zip", {"a.mid": song(60, 2, lead_seconds=9)}), out, FrameSpec())
    data = PackedFrames.open(out)
    assert data.frames(data.pieces()[0])[0, 60]


def test_workers_change_nothing_but_the_time(tmp_path: Path):
    music = zipped(tmp_path / "z.zip", {f"{number}.mid": song(30 + number, 1 + number % 3) for number in range(40)})
    for workers in (1, 3):
        prepare_midi(music, tmp_path / str(workers), FrameSpec(), workers=workers, seed=7)
    for name in ("frames.npy", "pieces.json", "meta.json", "report.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "3" / name).read_bytes()


def test_hostile_zips(tmp_path: Path):
    music = zipped(
        tmp_path / "hostile.zip",
        {
            "good.mid": song(60, 2),
            "../up.mid": song(61, 2),
            "/root.mid": song(62, 2),
            "C:/drive.mid": song(63, 2),
            "a\\..\\..\\b.mid": song(64, 2),
            "bomb.mid": bytes(4 * MAX_FILE_BYTES),
            "encrypted.mid": song(65, 2),
            "corrupt.mid": song(66, 2),
        },
    )
    content = bytearray(music.read_bytes())
    for name, change in ((b"encrypted.mid", "flag"), (b"corrupt.mid", "data")):
        local, central = content.find(name), content.rfind(name)
        if change == "flag":  # bit 0 of the general purpose flags, in both headers
            content[local - 24] |= 1
            content[central - 38] |= 1
        else:
            content[local + len(name) + 5] ^= 0xFF
    music.write_bytes(content)
    out = tmp_path / "sub" / "set"
    prepare_midi(music, out, FrameSpec())
    assert [piece.name for piece in PackedFrames.open(out).pieces()] == ["good.mid"]
    skipped = report(out)
    assert skipped.pop("bomb.mid") == "is larger than 8 MB"
    assert skipped.pop("encrypted.mid").startswith("cannot be read")
    assert skipped.pop("corrupt.mid").startswith("cannot be read")
    assert len(skipped) == 4
    assert set(skipped.values()) == {"has a name that leads out of the archive"}
    assert {path.name for path in tmp_path.rglob("*.mid")} == set()


def test_a_member_is_never_read_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    music = zipped(tmp_path / "z.zip", {"a.mid": bytes(MAX_FILE_BYTES)})
    assert len(read_file(music, "a.mid")) == MAX_FILE_BYTES
    monkeypatch.setattr(source_room, "MAX_FILE_BYTES", 100)
    with pytest.raises(DataError, match="larger"):
        read_file(music, "a.mid")


def cut(path: Path) -> Path:
    zipped(path, {"a.mid": song(60, 2)})
    path.write_bytes(path.read_bytes()[:-30])
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path, "there is no folder or zip at"),
        (cut, "neither a folder nor a readable zip"),
        (lambda path: zipped(path, {"a.txt": b""}), r"holds no MIDI file \(\*.mid"),
        (lambda path: unzipped(path, {"a.txt": b""}), "holds no MIDI file"),
        (lambda path: zipped(path, {"a.mid": b"", "b.mid": b""}), "none of the 2 files.*the first, a.mid: does not"),
    ],
)
def test_a_source_without_music_is_one_sentence(tmp_path: Path, make: Callable[[Path], Path], message: str):
    music = make(tmp_path / "music")
    with pytest.raises(DataError, match=message) as refusal:
        prepare_midi(music, tmp_path / "set", FrameSpec())
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "set").exists()


def lakh_files() -> dict[str, bytes]:
    """Sixty artists of one to three songs of one to three minutes."""
    return {
        f"clean/Artist {artist}/Song {number}.mid": song(20 + artist, 65 + 60 * number)
        for artist in range(60)
        for number in range(1 + artist % 3)
    }


def test_lakh_splits_by_artist_and_drops_what_is_short(tmp_path: Path):
    files = lakh_files() | {
        "clean/Short/Song.mid": song(90, 59),
        "clean/Jackson Michael/Bad.mid": song(91, 61),
        "clean/Michael Jackson/Ben.mid": song(92, 61),
    }
    out = tmp_path / "set"
    meta = prepare_lakh(zipped(tmp_path / "lakh.zip", files), out, workers=2)
    data = PackedFrames.open(out)
    assert report(out) == {"clean/Short/Song.mid": "is shorter than one minute"}
    assert {piece.length for piece in data.pieces()} == {240}
    assert sum(piece.name.startswith("clean/Artist 2/Song 2.mid#") for piece in data.pieces()) == 3
    train = sequences(data, "train")
    assert len(set(train.songs.tolist())) == len({piece.name.partition("#")[0] for piece in data.pieces("train")})
    assert (np.diff(train.songs) >= 0).all()
    assert len(set(train.songs.tolist())) < len(train) == len(train.songs)
    artists = {split: {artist(piece.name) for piece in data.pieces(split)} for split in ("train", "valid", "test")}
    assert all(artists.values())
    assert not artists["train"] & artists["valid"]
    assert not artists["train"] & artists["test"]
    assert not artists["valid"] & artists["test"]
    assert sum(map(len, artists.values())) == 61
    assert "by artist" in meta["split_rule"]
    assert meta["source"] == "part of Lakh clean_midi (123 files)"


@pytest.mark.parametrize(
    ("one", "other"),
    [("Jackson Michael", "Michael Jackson"), ("The Band", "Band"), ("Earth, Wind & Fire", "earth wind and fire")],
)
def test_an_artist_has_one_name(one: str, other: str):
    assert artist(f"{one}/a.mid") == artist(f"x/{other}/b.mid")


def test_artists_without_words_are_not_thrown_together():
    assert artist("!!!/a.mid") != artist("???/a.mid")


def test_lakh_wants_artists(tmp_path: Path):
    with pytest.raises(DataError, match=r"not laid out as Artist/Title.mid \(b.mid\); use 'cgrnn-train prepare midi'"):
        prepare_lakh(zipped(tmp_path / "z.zip", {"A/a.mid": song(60, 61), "b.mid": b""}), tmp_path / "set")


def test_names_are_sorted_and_counted_once(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("b.mid", song(60, 1))
        archive.writestr("a.mid", song(60, 1))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("b.mid", song(60, 1))
    assert list_midi(tmp_path / "z.zip") == ["a.mid", "b.mid"]


def test_the_command_writes_a_set_and_tells(tmp_path: Path):
    music = zipped(tmp_path / "z.zip", {"a.mid": song(60, 2), "b.mid": b""})
    options = ["--frame", "0.5", "--rule", "cover", "--source", "Tunes", "--workers", "1", "--json"]
    result = CliRunner().invoke(app, ["midi", str(music), str(tmp_path / "set"), *options])
    assert result.exit_code == 0, result.output
    meta = json.loads(result.stdout)
    assert meta["frame"] == {"frame_seconds": 0.5, "rule": "cover", "note_value": None}
    assert "1 of 2 files skipped, see" in result.stderr
    assert "Tunes" in result.stderr


def test_the_folder_one_stands_in_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    unzipped(tmp_path / "Tunes", {"a.mid": song(60, 2)})
    monkeypatch.chdir(tmp_path / "Tunes")
    assert prepare_midi(Path("."), tmp_path / "set", FrameSpec())["source"] == "Tunes"


@pytest.mark.parametrize("options", [["--frame", "0"], ["--frame", "nan"], ["--rule", "none"]])
def test_the_command_refuses_nonsense(tmp_path: Path, options: list[str]):
    result = CliRunner().invoke(app, ["midi", str(tmp_path), str(tmp_path / "set"), *options])
    assert isinstance(result.exception, DataError)
    assert "; give" in str(result.exception)


def test_other_peoples_folders_are_refused_before_the_work(tmp_path: Path):
    unzipped(tmp_path / "out", {"thesis.tex": b"years"})
    with pytest.raises(DataError, match="thesis.tex"):
        prepare_midi(tmp_path / "nowhere", tmp_path / "out", FrameSpec())


def test_frames_are_those_of_the_notes(tmp_path: Path):
    out = tmp_path / "set"
    prepare_midi(zipped(tmp_path / "z.zip", {"a.mid": song(60, 3)}), out, FrameSpec())
    data = PackedFrames.open(out)
    expected = np.repeat([60, 61, 62, 63, 64, 65], 2)  # half a second each
    assert np.argmax(data.frames(data.pieces()[0]), axis=1).tolist() == expected.tolist()
