"""`prepare audio-effects`, on a small tree in the layout of IDMT-SMT-Audio-Effects."""

import io
import json
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from cgrnn_train.data.audio_effects import EFFECT_NUMBERS, prepare_audio_effects, read_labels
from cgrnn_train.data.command import app
from cgrnn_train.data.effects import CLASSES
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.opened import open_data
from cgrnn_train.data.waves import Waves

RATE = 44_100
FOLDERS = dict(
    zip(
        EFFECT_NUMBERS,
        "NoFX EQ FeedbackDelay SlapbackDelay Reverb Chorus Flanger Phaser Tremolo Vibrato Distortion Overdrive".split(),
        strict=True,
    )
)


def recording(pitch: int, number: int) -> bytes:
    """Two seconds and a sample, as the set has them: 88,201 at 44.1 kHz, 16 bit, mono."""
    time = np.arange(88_201) / RATE
    tone = np.exp(-time) * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time + number)
    file = io.BytesIO()
    soundfile.write(file, 0.3 * tone, RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bass on one string of twelve frets with three effects, guitar on four frets with all, one chord."""
    root = tmp_path_factory.mktemp("idmt") / "IDMT-SMT-AUDIO-EFFECTS"
    number = 0

    def record(folder: str, first: str, pitch: int, place: str, effect: str) -> None:
        nonlocal number
        number += 1
        path = (
            root / folder / "Samples" / FOLDERS[effect] / f"{first}-{pitch}{place}-{effect[0]}{effect}1-{number:05}.wav"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(recording(pitch, number))

    for fret in range(12):
        for effect in ("11", "34", "42"):
            record("Bass monophon", "B11" if fret % 2 else "B12", 28 + fret, f"1{fret:02}", effect)
    for fret in range(4):
        for effect in EFFECT_NUMBERS:
            record("Gitarre monophon2", "G73", 45 + fret, f"2{fret:02}", effect)
    record("Gitarre polyphon", "P64", 43, "110", "31")
    lists = root / "Gitarre monophon2" / "Lists" / "Tremolo"
    lists.mkdir(parents=True)
    (lists / "G73-00000-3341-013.xml").write_text("<list/>")
    (root / "Gitarre monophon2" / "ReadMe.txt").write_text("Kodierungsschema")
    return root


def opened(out: Path) -> Waves:
    data = open_data(out)
    assert isinstance(data, Waves)
    return data


def test_names_say_everything():
    assert read_labels("Gitarre monophon2/Samples/Tremolo/G73-45200-3341-33944.wav") == {
        "instrument": "guitar",
        "group": "G7, pitch 45",
        "setting": 7,
        "plucking": "pick",
        "pitch": 45,
        "effect": "tremolo",
        "parameters": {"setting": 1},
        "string": 2,
        "fret": 0,
    }
    assert read_labels("G61-41101-1111-20594.wav") == {
        "instrument": "guitar",
        "group": "G6, pitch 41",
        "setting": 6,
        "plucking": "finger, soft",
        "pitch": 41,
        "effect": "none",
        "parameters": {"setting": 1},
        "string": 1,
        "fret": 1,
    }
    assert read_labels("P64-43110-3312-46225.WAV") == {
        "instrument": "guitar, several notes",
        "group": "P6, pitch 43",
        "setting": 6,
        "plucking": "pick, interval",
        "pitch": 43,
        "effect": "chorus",
        "parameters": {"setting": 2},
        "chord": "minor third",
    }
    for name in ("G61-41101-1111.wav", "X61-41101-1111-20594.wav", "G61-41101-5511-20594.wav", "tremolo.wav"):
        assert read_labels(name) is None


def test_a_tree_becomes_a_set_of_two_seconds_a_file(tree: Path, tmp_path: Path):
    meta = prepare_audio_effects(tree, tmp_path / "set", workers=2)
    data = opened(tmp_path / "set")
    assert len(data.pieces()) == 12 * 3 + 4 * 12 + 1
    assert {piece.length for piece in data.pieces()} == {147}
    assert (data.spec.sample_rate, data.visible) == (11_025, 150)
    assert meta["files"] == {"files": 85, "used": 85, "skipped": 0}
    assert meta["classes"] == {
        **{effect: 4 for effect in (*CLASSES, "eq")},
        **{"none": 16, "tremolo": 16, "overdrive": 16, "chorus": 5},
    }
    assert meta["source"] == "part of IDMT-SMT-Audio-Effects (85 files)"
    piece = next(piece for piece in data.pieces() if "/Tremolo/G73-45" in piece.name)
    assert piece.labels == read_labels(piece.name)
    number = int(piece.name[-9:-4])
    time = np.arange(22_050) / 11_025
    expected = 0.3 * np.exp(-time) * np.sin(2 * np.pi * 440 * 2 ** ((45 - 69) / 12) * time + number)
    assert np.allclose(data.samples(piece)[50:-50], expected[50:-50], atol=5e-4)  # its own level; edges ring


def test_a_note_lies_on_one_side_with_all_its_effects(tree: Path, tmp_path: Path):
    prepare_audio_effects(tree, tmp_path / "set", seed=2)
    data = opened(tmp_path / "set")
    sides: dict[str, set[str]] = {}
    for piece in data.pieces():
        sides.setdefault(piece.song, set()).add(piece.split)
    assert len(sides) == 12 + 4 + 1
    assert all(len(each) == 1 for each in sides.values())
    bass = [split for song, (split,) in sides.items() if song.startswith("B1")]
    assert Counter(bass)["test"] == 1  # of twelve pitches, whatever the guitar's are


def test_one_folder_or_a_zip_gives_the_same_clips(tree: Path, tmp_path: Path):
    merged = tmp_path / "merged"
    merged.mkdir()
    for path in tree.rglob("*.wav"):
        shutil.copy(path, merged)
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for path in sorted(tree.rglob("*")):
            archive.write(path, Path("IDMT") / path.relative_to(tree))
    waves = {}
    for name, source in {"tree": tree, "merged": merged, "zip": tmp_path / "z.zip"}.items():
        prepare_audio_effects(source, tmp_path / name / "set")
        data = opened(tmp_path / name / "set")
        waves[name] = {Path(piece.name).name: data.samples(piece) for piece in data.pieces()}
    for name in ("merged", "zip"):
        assert waves[name].keys() == waves["tree"].keys()
        assert all(np.array_equal(waves[name][key], waves["tree"][key]) for key in waves["tree"])


def test_strangers_and_broken_files_are_reported(tmp_path: Path):
    folder = tmp_path / "some"
    folder.mkdir()
    for pitch in (40, 41, 42):
        (folder / f"G61-{pitch}100-1111-000{pitch}.wav").write_bytes(recording(pitch, 0))
    (folder / "G61-43103-1111-00043.wav").write_bytes(b"RIFF")
    (folder / "G61-44104-5511-00044.wav").write_bytes(recording(44, 0))
    (folder / "my riff.wav").write_bytes(recording(45, 0))
    meta = prepare_audio_effects(folder, tmp_path / "set")
    skipped = json.loads((tmp_path / "set" / "report.json").read_text(encoding="utf-8"))["skipped_files"]
    assert skipped.pop("G61-43103-1111-00043.wav").startswith("cannot be read as sound")
    assert skipped == {
        "G61-44104-5511-00044.wav": "has a name that is none of the set's",
        "my riff.wav": "has a name that is none of the set's",
    }
    assert meta["files"] == {"files": 6, "used": 3, "skipped": 3}


def test_a_loud_recording_does_not_clip(tmp_path: Path):
    square = np.sign(np.sin(2 * np.pi * 200 * np.arange(88_201) / RATE) + 1e-9)
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "B11-28100-4411-00625.wav", 0.999 * square, RATE)
    prepare_audio_effects(tmp_path / "in", tmp_path / "set")
    data = opened(tmp_path / "set")
    assert np.abs(data.samples(data.pieces()[0])).max() == pytest.approx(1, abs=1e-4)  # Gibbs's corners would be above


def test_other_notes_are_sent_to_the_other_command(tmp_path: Path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.wav").write_bytes(recording(40, 0))
    with pytest.raises(DataError, match="no file named as in IDMT.* but a.wav; for other notes use 'cgrnn-train prep"):
        prepare_audio_effects(tmp_path / "in", tmp_path / "set")


def test_the_command_writes_a_set_and_tells(tree: Path, tmp_path: Path):
    result = CliRunner().invoke(app, ["audio-effects", str(tree), str(tmp_path / "set"), "--workers", "1", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["licence"] == "CC-BY-NC-ND 4.0"
    assert "part of IDMT-SMT-Audio-Effects (85 files)" in result.stderr
