"""Sound files of every kind as frames of the model, and one sentence for those that cannot be."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cgrnn_bundle.waves import WaveCoder, WaveSpec, frames_to_samples, samples_to_frames
from cgrnn_live.wave_prompt import LONGEST_SECONDS, WavePromptError, read_wave_prompt
from cgrnn_live.wave_source import LOUDEST_MODEL_SAMPLE

SPEC = WaveSpec(mean=0.02, std=0.15)
PREDICTED = WaveSpec(mean=0.02, std=0.15, order=8, window=400)
Write = Callable[..., Path]


def tone(seconds: float, rate: int, frequency: float = 220.0) -> np.ndarray:
    return 0.4 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write samples (time,) or (time, channels) to a sound file."""

    def write(samples: np.ndarray, rate: int, name: str = "phrase.wav", subtype: str = "PCM_16") -> Path:
        soundfile.write(tmp_path / name, samples, rate, subtype=subtype)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("name", "subtype", "step"),
    [
        ("a.wav", "PCM_U8", 1 / 128),
        ("a.wav", "PCM_16", 1 / 32768),
        ("a.wav", "PCM_24", 1e-6),
        ("a.wav", "PCM_32", 1e-6),
        ("a.wav", "FLOAT", 1e-6),
        ("a.wav", "DOUBLE", 1e-6),
        ("a.flac", "PCM_24", 1e-6),
        ("a.aiff", "PCM_16", 1 / 32768),
        ("a name without an extension.WAV", "PCM_16", 1 / 32768),
    ],
)
def test_a_file_at_the_models_rate_is_cut_into_normalised_frames(
    write: Write, name: str, subtype: str, step: float
) -> None:
    samples = tone(0.5, SPEC.sample_rate)
    frames = read_wave_prompt(write(samples, SPEC.sample_rate, name, subtype), SPEC)
    assert (frames.shape, frames.dtype) == ((len(samples) // 150, 150), np.float32)
    assert np.abs(frames_to_samples(frames, SPEC) - samples[len(samples) % 150 :]).max() <= step


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_any_rate_becomes_the_models(write: Write, rate: int) -> None:
    sound = frames_to_samples(read_wave_prompt(write(tone(1.0, rate), rate, subtype="FLOAT"), SPEC), SPEC)
    whole = tone(1.0, SPEC.sample_rate)
    assert len(sound) == len(whole) - len(whole) % 150
    inner = slice(500, -500)  # a tone that begins at once has no exact band limit
    assert np.abs(sound - whole[len(whole) % 150 :])[inner].max() < 1e-3


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_mixed_to_one(write: Write, channels: int) -> None:
    samples = np.zeros((3_000, channels))
    samples[:, 0] = tone(1.0, 3_000)
    frames = read_wave_prompt(write(samples, SPEC.sample_rate, subtype="FLOAT"), SPEC)
    assert np.abs(frames_to_samples(frames, SPEC) - samples[:, 0] / channels).max() < 1e-6


def test_the_very_end_is_kept_and_what_fills_no_frame_is_left_out_at_the_beginning(write: Write) -> None:
    samples = np.linspace(-0.5, 0.5, 150 * 4 + 100)
    frames = read_wave_prompt(write(samples, SPEC.sample_rate, subtype="FLOAT"), SPEC)
    assert frames_to_samples(frames, SPEC) == pytest.approx(samples[100:], abs=1e-6)


@pytest.mark.parametrize("spec", [SPEC, PREDICTED])
def test_frames_decode_to_the_sound_whatever_they_are(write: Write, spec: WaveSpec) -> None:
    samples = tone(2.0, spec.sample_rate) * np.linspace(0, 1, 22_050) ** 2
    frames = read_wave_prompt(write(samples, spec.sample_rate, subtype="FLOAT"), spec)
    assert (frames.shape, frames.dtype) == ((147, 150), np.float32)
    assert np.abs(frames_to_samples(frames, spec) - samples).max() < 1e-6
    assert np.array_equal(frames, samples_to_frames(samples.astype(np.float32), spec))


@pytest.mark.parametrize("spec", [SPEC, PREDICTED])
def test_a_sound_beyond_bounds_is_held_within_them(write: Write, spec: WaveSpec) -> None:
    """As whole numbers for floats are, ± 32,768; and the coder of who plays it holds the same samples."""
    samples = 32_768 * tone(2.0, spec.sample_rate)
    frames = read_wave_prompt(write(samples, spec.sample_rate, subtype="FLOAT"), spec)
    coder = WaveCoder(spec, loudest=LOUDEST_MODEL_SAMPLE)
    sound = np.concatenate([coder.decode(frame) for frame in frames])
    assert np.abs(sound - samples.clip(-LOUDEST_MODEL_SAMPLE, LOUDEST_MODEL_SAMPLE)).max() < 1e-4


def test_a_long_file_is_read_by_blocks_without_a_seam(write: Write) -> None:
    frames = read_wave_prompt(write(tone(5.0, 44_100), 44_100, subtype="FLOAT"), SPEC)  # 3.4 blocks
    sound, whole = frames_to_samples(frames, SPEC), tone(5.0, SPEC.sample_rate)
    assert np.abs(sound - whole[len(whole) % 150 :])[500:-500].max() < 1e-3


def with_a(value: float) -> np.ndarray:
    samples = tone(1.0, 11_025)
    samples[70] = value
    return samples


@pytest.mark.parametrize(
    ("samples", "rate", "says"),
    [
        (np.zeros(0), 11_025, "is empty"),
        (np.zeros((0, 2)), 44_100, "is empty"),
        (tone(0.01, 11_025), 11_025, "shorter than one frame of the model; give one of at least 13.6 ms"),
        (tone(0.01, 96_000), 96_000, "shorter than one frame"),
        (with_a(np.nan), 11_025, "no numbers"),
        (with_a(np.inf), 48_000, "no numbers"),
        (np.zeros(1_000 * int(LONGEST_SECONDS) + 1), 1_000, "lasts longer than 600 s"),
        (tone(1.0, 999), 999, "has 999 samples a second"),
        (tone(0.1, 1_000_000), 1_000_000, "has 1000000 samples a second"),
    ],
)
def test_a_sound_that_cannot_be_gone_on_from_is_one_sentence(
    write: Write, samples: np.ndarray, rate: int, says: str
) -> None:
    path = write(samples, rate, subtype="FLOAT")
    with pytest.raises(WavePromptError, match=says) as caught:
        read_wave_prompt(path, SPEC)
    assert str(path) in str(caught.value)
    assert str(caught.value).count(". ") == 0


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("text.wav", b"This is no sound.\n"),
        ("nothing.wav", b""),
        ("cut.wav", b"RIFF\x24\x00\x00\x00WAVEfmt "),
        ("bare.raw", bytes(1_000)),
        ("song.mid", b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xe0MTrk\x00\x00\x00\x00"),
    ],
)
def test_what_is_no_sound_is_one_sentence(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(WavePromptError, match=r"cannot be read as sound \(.+\); give a WAV file\.$") as caught:
        read_wave_prompt(path, SPEC)
    assert str(path) in str(caught.value)


def test_a_file_cut_short_is_what_there_is_of_it(write: Write, tmp_path: Path) -> None:
    whole = write(tone(1.0, SPEC.sample_rate), SPEC.sample_rate).read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 2])
    assert len(read_wave_prompt(tmp_path / "cut.wav", SPEC)) == len(whole) // 2 // 300


@pytest.mark.parametrize("name", ["nothing.wav", ".", "nul\0byte.wav"])
def test_a_missing_file_and_a_folder_are_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(WavePromptError, match="is not there; give a sound file"):
        read_wave_prompt(tmp_path / name, SPEC)
