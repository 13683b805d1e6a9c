"""Sets of sound from files: the stand-in of dry notes with effects, and the layout of IDMT-SMT-Audio-Effects."""

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cgrnn_train.data.audio_effects import prepare_audio_effects
from cgrnn_train.data.effects import CLASSES
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.notes import PEAK, instrument, note_group, prepare_notes
from cgrnn_train.data.opened import open_data
from cgrnn_train.data.waves import Waves

RATE = 22_050
NAMES = [f"{letter}{octave}" for octave in (2, 3) for letter in ("C", "D", "E", "F", "G", "A", "B")]


def tone(pitch_hz: float, seconds: float, rate: int, level: float = 0.3) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    return level * np.sin(2 * np.pi * pitch_hz * time) * np.exp(-2 * time)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Two instruments of 14 pitches, two takes each, one of them quiet; a file that is none and one of silence."""
    for folder, level in (("bass", 0.3), ("strat", 0.002)):
        (tmp_path / "notes" / folder).mkdir(parents=True)
        for index, name in enumerate(NAMES):
            for take in (1, 2):
                path = tmp_path / "notes" / folder / f"{folder}_{name}_rr{take}.flac"
                soundfile.write(path, tone(60 * 2 ** (index / 7), 1.2 + 0.1 * take, RATE, level), RATE)
    (tmp_path / "notes" / "bass" / "broken.wav").write_bytes(b"RIFF nothing that follows")
    soundfile.write(tmp_path / "notes" / "bass" / "empty_C5.wav", np.zeros(0), RATE)
    return tmp_path / "notes"


def test_the_stand_in_has_each_note_clean_and_with_effects(notes: Path, tmp_path: Path):
    meta = prepare_notes(notes, tmp_path / "set", effects=3, seed=1, licence="CC0")
    data = open_data(tmp_path / "set")
    assert isinstance(data, Waves)
    assert len(data.pieces()) == 56 * 4
    assert all(piece.length == 147 for piece in data.pieces())
    found = Counter(piece.labels["effect"] for piece in data.pieces())
    assert found["none"] == 56
    assert set(found) == set(CLASSES)
    assert meta["classes"] == {name: found[name] for name in CLASSES}
    assert "synthetic effects" in meta["source"]
    for piece in data.pieces()[:40]:
        assert np.abs(data.samples(piece)).max() <= PEAK + 1e-3
        assert (piece.labels["effect"] == "none") == (piece.labels["parameters"] == {})
    quiet = [piece for piece in data.pieces() if piece.name.startswith("strat") and piece.labels["effect"] == "none"]
    assert quiet
    assert all(np.abs(data.samples(piece)).max() > 0.8 for piece in quiet)
    report = (tmp_path / "set" / "report.md").read_text()
    assert "broken.wav" in report
    assert "empty_C5.wav" in report


def test_a_pitch_of_an_instrument_lies_on_one_side_with_all_its_takes_and_effects(notes: Path, tmp_path: Path):
    prepare_notes(notes, tmp_path / "set", effects=2)
    data = open_data(tmp_path / "set")
    sides = defaultdict[str, set[str]](set)
    for piece in data.pieces():
        sides[piece.labels["group"]].add(piece.split)
    assert len(sides) == 28
    assert all(len(splits) == 1 for splits in sides.values())
    assert {split for splits in sides.values() for split in splits} == {"train", "valid", "test"}


def test_the_same_seed_makes_the_same_set_with_any_number_of_workers(notes: Path, tmp_path: Path):
    prepare_notes(notes, tmp_path / "one", effects=1, seed=7)
    prepare_notes(notes, tmp_path / "two", effects=1, seed=7, workers=2)
    prepare_notes(notes, tmp_path / "other", effects=1, seed=8)
    contents = [(tmp_path / name / "waves.npy").read_bytes() for name in ("one", "two", "other")]
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_a_note_s_group_is_its_pitch_in_its_folder():
    assert note_group("a/strat_C#3_rr1.flac") == note_group("a/strat_C#3_rr2.flac") == "a/pitch 49"
    assert note_group("a/x_C3.flac") != note_group("b/x_C3.flac")
    assert instrument("all/bass/x_C3.flac") == "bass"


def test_more_effects_than_there_are_are_refused(notes: Path, tmp_path: Path):
    with pytest.raises(DataError, match="found 11 effects a note; expected 0 to 10"):
        prepare_notes(notes, tmp_path / "set", effects=11)


@pytest.fixture
def idmt(tmp_path: Path) -> Path:
    """The layout and the names of the real set, with real WAV files of 44.1 kHz and 16 bit."""
    root = tmp_path / "IDMT"
    number = 0
    for folder, kind, third in (
        ("Bass monophon", "B", "1"),
        ("Gitarre monophon", "G", "3"),
        ("Gitarre polyphon", "P", "5"),
    ):
        for effect, code in (("NoFX", "1111"), ("Tremolo", "3341"), ("EQ", "1121")):
            (root / folder / "Samples" / effect).mkdir(parents=True)
            for pitch in range(40, 52):
                number += 1
                shape = f"{pitch}{'210' if kind == 'P' else '200'}"
                path = root / folder / "Samples" / effect / f"{kind}6{third}-{shape}-{code}-{number:05}.wav"
                wave = tone(440 * 2 ** ((pitch - 69) / 12), 2.0, 44_100, level=0.2 + number / 1000)  # no two alike
                soundfile.write(path, wave, 44_100, subtype="PCM_16")
        (root / folder / "Lists").mkdir()
        (root / folder / "Lists" / "list.xml").write_text("<list/>")
    return root


def test_the_real_layout_is_read_by_its_file_names(idmt: Path, tmp_path: Path):
    prepare_audio_effects(idmt, tmp_path / "set")
    data = open_data(tmp_path / "set")
    assert len(data.pieces()) == 3 * 3 * 12
    assert all(piece.length == 147 for piece in data.pieces())
    assert Counter(piece.labels["effect"] for piece in data.pieces()) == {"none": 36, "tremolo": 36, "eq": 36}
    sides = defaultdict[tuple[str, int], set[str]](set)
    for piece in data.pieces():
        sides[Path(piece.name).name[:3], piece.labels["pitch"]].add(piece.split)
    assert all(len(splits) == 1 for splits in sides.values())
    assert isinstance(data, Waves)
    piece = next(piece for piece in data.pieces() if piece.labels["pitch"] == 45)  # A2, 110 Hz
    spectrum = np.abs(np.fft.rfft(data.samples(piece)))
    assert np.argmax(spectrum) / 2 == pytest.approx(110, abs=1)


def test_a_folder_without_a_sound_is_refused(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for prepare in (prepare_audio_effects, prepare_notes):
        with pytest.raises(DataError):
            prepare(tmp_path / "empty", tmp_path / "set")
    assert not (tmp_path / "set").exists()
