"""`prepare notes`, from real sound files in folders and zips to data sets of sound, and all that can go wrong."""

import io
import json
import multiprocessing
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from typer.testing import CliRunner

from cgrnn_bundle.waves import WaveSpec
from cgrnn_train.data.command import app
from cgrnn_train.data.effects import CLASSES, EFFECTS, apply_effect
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.notes import PEAK, instrument, note_group, prepare_notes
from cgrnn_train.data.opened import open_data
from cgrnn_train.data.sounds import CLIP_SAMPLES, read_sound
from cgrnn_train.data.splits import split_each_by_group
from cgrnn_train.data.store import Piece
from cgrnn_train.data.waves import Waves

RATE = 22_050


def pluck(pitch: float, seconds: float = 2.5, level: float = 0.5, rate: int = RATE) -> np.ndarray:
    """A decaying tone of ten harmonics; `pitch` is a MIDI number, C4 is 60."""
    time = np.arange(round(seconds * rate)) / rate
    hz = 440 * 2 ** ((pitch - 69) / 12)
    tone = sum(np.sin(2 * np.pi * hz * n * time) / n for n in range(1, 11) if hz * n < rate / 2)
    shaped = np.exp(-1.5 * time) * tone
    return level * shaped / np.abs(shaped).max()


def sound(samples: np.ndarray, kind: str = "FLAC", rate: int = RATE, subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
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


def opened(out: Path) -> Waves:
    data = open_data(out)
    assert isinstance(data, Waves)
    return data


def by_class(pieces: list[Piece]) -> dict[str, Piece]:
    return {piece.labels["effect"]: piece for piece in pieces}


@pytest.fixture(scope="module")
def one_note(tmp_path_factory: pytest.TempPathFactory) -> Waves:
    """One note with all effects."""
    folder = tmp_path_factory.mktemp("one")
    prepare_notes(zipped(folder / "n.zip", {"strat/pluck_A2_rr1.flac": sound(pluck(45))}), folder / "set", seed=3)
    return opened(folder / "set")


def test_a_note_gives_a_clip_of_each_class_with_its_labels(one_note: Waves):
    pieces = one_note.pieces()
    assert [piece.name for piece in pieces] == [f"strat/pluck_A2_rr1.flac#{number:02}" for number in range(11)]
    assert [piece.labels["effect"] for piece in pieces] == list(CLASSES)
    assert {piece.length for piece in pieces} == {147}
    for piece in pieces:
        labels = dict(piece.labels)
        effect, parameters = labels.pop("effect"), labels.pop("parameters")
        assert labels == {"instrument": "strat", "group": "strat/pitch 45", "pitch": 45}
        assert set(parameters) == (set(EFFECTS[effect].ranges) if effect != "none" else set())
    assert {piece.song for piece in pieces} == {"strat/pitch 45"}
    assert one_note.meta["classes"] == dict.fromkeys(CLASSES, 1)
    assert (one_note.spec.sample_rate, one_note.visible) == (11_025, 150)


def test_the_clean_clip_is_the_note_and_peaks_at_one_decibel_below_full_scale(one_note: Waves):
    clean = one_note.samples(one_note.pieces()[0])
    expected = soxr.resample(pluck(45), RATE, 11_025)[:CLIP_SAMPLES]
    assert len(clean) == CLIP_SAMPLES
    assert np.corrcoef(clean, expected)[0, 1] > 0.9999
    assert np.abs(clean).max() == pytest.approx(PEAK, abs=1e-4)


def test_what_is_recorded_of_an_effect_makes_its_clip_again(one_note: Waves):
    """From the file's own samples, at the file's rate, resampled after: up to level and 16 bits."""
    dry = pluck(45).astype(np.float32)
    dry *= PEAK / np.abs(dry).max()
    for effect, piece in by_class(one_note.pieces()).items():
        if effect == "none":
            continue
        wet = soxr.resample(apply_effect(effect, dry, RATE, piece.labels["parameters"]), RATE, 11_025)[:CLIP_SAMPLES]
        assert np.corrcoef(wet, one_note.samples(piece))[0, 1] > 0.9999


def test_effects_are_no_louder_than_the_clean_clip_and_none_clips(one_note: Waves):
    samples = {effect: one_note.samples(piece) for effect, piece in by_class(one_note.pieces()).items()}
    power = {effect: float(np.mean(each**2)) for effect, each in samples.items()}
    for effect, each in samples.items():
        peak = float(np.abs(each).max())
        assert peak < PEAK + 1e-4
        if peak < PEAK - 1e-3:
            assert power[effect] == pytest.approx(power["none"], rel=1e-3)
        assert power["none"] / 4 < power[effect] < power["none"] * 1.001


def small_band() -> dict[str, bytes]:
    """Three instruments of 21 pitches, two short takes of each, at levels 30 dB apart."""
    return {
        f"band/{name}/{name}_{'CDEFGAB'[pitch % 7]}{pitch // 7 + 2}_rr{take}.flac": sound(
            pluck(40 + pitch + offset + 0.1 * take, 0.2, level)
        )
        for name, offset, level in (("quiet", 0, 0.016), ("loud", 0.3, 0.9), ("bass", -12, 0.5))
        for pitch in range(21)
        for take in (1, 2)
    }


@pytest.fixture(scope="module")
def band(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zipped(tmp_path_factory.mktemp("band") / "band.zip", small_band())


def test_variants_takes_and_strings_of_one_pitch_lie_on_one_side(band: Path, tmp_path: Path):
    meta = prepare_notes(band, tmp_path / "set", effects=1, seed=1, licence="CC0")
    data = opened(tmp_path / "set")
    groups = {split: {piece.labels["group"] for piece in data.pieces(split)} for split in ("train", "valid", "test")}
    assert sum(map(len, groups.values())) == len(set.union(*groups.values())) == 63
    for split, found in groups.items():
        assert {Path(group).parent.name for group in found} == {"quiet", "loud", "bass"}, split
    counts = Counter(piece.labels["group"] for piece in data.pieces())
    assert set(counts.values()) == {4}  # two takes, each clean and with one effect
    assert meta["counts"]["train"]["pieces"] + meta["counts"]["valid"]["pieces"] + meta["counts"]["test"][
        "pieces"
    ] == sum(meta["classes"].values())
    assert meta["classes"]["none"] == sum(meta["classes"].values()) / 2 == 126
    assert all(meta["classes"].values())  # 126 draws of ten: 2 in 10⁵ that one is never drawn, and the seed is fixed
    assert (meta["licence"], meta["source"], meta["effects_a_note"]) == ("CC0", "band.zip, with synthetic effects", 1)


def test_a_quiet_instrument_is_as_loud_as_the_others(band: Path, tmp_path: Path):
    prepare_notes(band, tmp_path / "set", effects=0)
    data = opened(tmp_path / "set")
    peaks = [np.abs(data.samples(piece)).max() for piece in data.pieces() if piece.labels["instrument"] == "quiet"]
    assert np.allclose(peaks, PEAK, atol=1e-4)


def test_a_short_note_is_followed_by_silence(tmp_path: Path):
    prepare_notes(unzipped(tmp_path / "n", {"g/a_C3.wav": sound(pluck(48, 0.5), "WAV")}), tmp_path / "set", effects=0)
    data = opened(tmp_path / "set")
    clip = data.samples(data.pieces()[0])
    assert len(clip) == CLIP_SAMPLES
    assert np.abs(clip[5000:5400]).max() > 0.1
    assert not clip[11_025 // 2 + 200 :].any()  # the resampler rings for some milliseconds


def test_workers_change_nothing_but_the_time_and_the_seed_all(tmp_path: Path):
    files = {f"g/n_{name}.flac": sound(pluck(40 + number, 0.2)) for number, name in enumerate(["C3", "D3", "E3", "F3"])}
    notes = unzipped(tmp_path / "n", files)
    for out, workers, seed in (("1", 1, 0), ("2", 2, 0), ("other", 1, 1)):
        prepare_notes(notes, tmp_path / out, effects=2, workers=workers, seed=seed)
    for name in ("waves.npy", "pieces.json", "meta.json", "report.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    assert (tmp_path / "1" / "waves.npy").read_bytes() != (tmp_path / "other" / "waves.npy").read_bytes()
    assert not multiprocessing.active_children()


def test_fewer_effects_are_some_of_the_same(one_note: Waves, tmp_path: Path):
    notes = zipped(tmp_path / "n.zip", {"strat/pluck_A2_rr1.flac": sound(pluck(45))})
    prepare_notes(notes, tmp_path / "set", effects=3, seed=3)
    few, all_of_them = by_class(opened(tmp_path / "set").pieces()), by_class(one_note.pieces())
    assert len(few) == 4
    for effect, piece in few.items():
        assert piece.labels == all_of_them[effect].labels
        assert piece.name == all_of_them[effect].name


@pytest.mark.parametrize("store", [zipped, unzipped])
def test_what_is_no_sound_is_skipped_and_reported(tmp_path: Path, store: Callable[[Path, dict[str, bytes]], Path]):
    poisoned = pluck(50)
    poisoned[100] = np.nan
    stereo = np.stack([pluck(52), np.zeros(round(2.5 * RATE))], axis=1)
    files = {
        "g/good_C3.flac": sound(pluck(48)),
        "g/stereo_D3.wav": sound(stereo, "WAV", subtype="FLOAT"),
        "g/fast_E3.wav": sound(pluck(53, rate=96_000), "WAV", rate=96_000),
        "g/aiff_F3.aiff": sound(pluck(54), "AIFF"),
        "g/again_C3.flac": sound(pluck(48)),
        "g/nan.wav": sound(poisoned, "WAV", subtype="FLOAT"),
        "g/infinite.wav": sound(np.where(np.arange(900) == 5, np.inf, 0), "WAV", subtype="FLOAT"),
        "g/garbage.wav": b"RIFF and no more",
        "g/nothing.flac": b"",
        "g/no_samples.wav": sound(np.zeros(0), "WAV"),
        "g/silent.flac": sound(np.zeros(RATE)),
        "g/hiss.flac": sound(np.random.default_rng(0).normal(0, 1e-4, RATE)),
        "g/telephone.wav": sound(pluck(48, rate=8000), "WAV", rate=8000),
        "g/many.wav": sound(np.ones((900, 9)) * 0.5, "WAV"),
        "g/readme.txt": b"no sound",
        "__MACOSX/._good_C3.flac": b"a resource fork",
    }
    meta = prepare_notes(store(tmp_path / "notes", files), tmp_path / "set", effects=0)
    used = {piece.name for piece in open_data(tmp_path / "set").pieces()}
    assert used == {
        "g/again_C3.flac#00",
        "g/stereo_D3.wav#00",
        "g/fast_E3.wav#00",
        "g/aiff_F3.aiff#00",
    }
    skipped = json.loads((tmp_path / "set" / "report.json").read_text(encoding="utf-8"))["skipped_files"]
    assert meta["files"] == {"files": 14, "used": 4, "skipped": 10}
    assert skipped.pop("g/garbage.wav").startswith("cannot be read as sound: ")
    assert skipped.pop("g/nothing.flac").startswith("cannot be read as sound: ")
    assert skipped == {
        "g/good_C3.flac": "has the same frames as g/again_C3.flac",
        "g/nan.wav": "holds samples that are no numbers",
        "g/infinite.wav": "holds samples that are no numbers",
        "g/no_samples.wav": "holds no samples",
        "g/silent.flac": "is silent",
        "g/hiss.flac": "is silent",
        "g/telephone.wav": "has 8000 samples a second; expected 11025 to 192000",
        "g/many.wav": "has 9 channels; expected at most 8",
    }


def test_a_file_that_breaks_off_gives_what_it_has(tmp_path: Path):
    whole = sound(pluck(48), "WAV")
    folder = unzipped(tmp_path / "n", {"cut.wav": whole[: len(whole) // 2]})
    samples, rate = read_sound(folder, "cut.wav")
    assert (len(samples), rate) == (round(2.05 * RATE), RATE)
    assert np.flatnonzero(samples)[-1] == pytest.approx(1.25 * RATE, abs=200)


def test_only_the_beginning_of_a_long_file_is_read(tmp_path: Path):
    """Silence compresses to little, so that a small file may be a very long one."""
    long = sound(np.concatenate([pluck(48), np.zeros(60 * RATE)]))
    samples, _ = read_sound(unzipped(tmp_path / "n", {"long.flac": long}), "long.flac")
    assert len(samples) == round(2.05 * RATE)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path, "there is no folder or zip at"),
        (lambda path: unzipped(path.parent, {path.name: b"no zip"}) / path.name, "neither a folder nor a readable zip"),
        (lambda path: zipped(path, {"a.mid": b""}), r"holds no sound file \(\*.wav"),
        (lambda path: zipped(path, {"a.wav": b"", "b.wav": b""}), "none of the 2 files.*the first, a.wav: cannot be"),
    ],
)
def test_a_source_without_notes_is_one_sentence(tmp_path: Path, make: Callable[[Path], Path], message: str):
    with pytest.raises(DataError, match=message) as refusal:
        prepare_notes(make(tmp_path / "notes"), tmp_path / "set")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("x/bass/pasta/samples_linguine_bb3_vl1_rr4.flac", "x/bass/pasta/pitch 58"),
        ("x/bass/pasta/samples_linguine_A#3_vl2_rr1.flac", "x/bass/pasta/pitch 58"),
        ("x/strat/samples_e2_mp_E2_Ab3_mp_1.flac", "x/strat/pitch 56"),  # strings stand before the pitch
        ("x/strat/samples_b_mp_B_G#3_mp_3.flac", "x/strat/pitch 56"),
        ("PBF_00_D1.flac", "./pitch 26"),
        ("notes_f2_ff_rr3.flac", "./pitch 41"),
        ("notes_c-1_f.wav", "./pitch 0"),
        ("bass/samples_finger_A#.flac", "bass/A#"),
        ("bass/samples_f_mf_rr2.flac", "bass/samples_f_mf"),  # how loud, not F
        ("g/mute_string1_rr3_2.flac", "g/mute_string1_2"),
        ("g/rr1.flac", "g/rr1"),
        ("g/note_060.wav", "g/note_060"),
    ],
)
def test_takes_of_one_pitch_are_one_group(name: str, group: str):
    assert note_group(name) == group


def test_each_part_is_split_on_its_own():
    names = [f"{part}/{number:03}" for part in ("big", "small") for number in range(40 if part == "small" else 400)]
    split_of = split_each_by_group(names, 0, str, instrument)
    for part, count in (("big", 400), ("small", 40)):
        found = Counter(split_of[name] for name in names if instrument(name) == part)
        assert found == {"train": 0.9 * count, "valid": 0.05 * count, "test": 0.05 * count}


def test_the_command_writes_a_set_and_tells(tmp_path: Path):
    notes = zipped(tmp_path / "z.zip", {"g/a_C3.flac": sound(pluck(48)), "g/b.flac": b""})
    options = ["--effects", "2", "--source", "Plucks", "--licence", "CC0", "--workers", "1", "--json"]
    result = CliRunner().invoke(app, ["notes", str(notes), str(tmp_path / "set"), *options])
    assert result.exit_code == 0, result.output
    meta: dict[str, Any] = json.loads(result.stdout)
    assert meta["counts"]["train"] == {"pieces": 3, "frames": 441}
    assert WaveSpec(**meta["frame"]) == open_data(tmp_path / "set").spec
    assert "Plucks, with synthetic effects" in result.stderr
    assert "1 of 2 files skipped, see" in result.stderr


@pytest.mark.parametrize("options", [["--effects", "11"], ["--effects", "-1"], ["--seed", "-1"]])
def test_the_command_refuses_nonsense(tmp_path: Path, options: list[str]):
    result = CliRunner().invoke(app, ["notes", str(tmp_path), str(tmp_path / "set"), *options])
    assert result.exit_code == 2
    with pytest.raises(DataError, match="found 11 effects a note; expected 0 to 10"):
        prepare_notes(tmp_path, tmp_path / "set", effects=11)
