import math

import pytest

from cgrnn_live.options import (
    SCALES,
    FrameLength,
    OptionError,
    check_range,
    clocks_per_frame,
    frame_seconds,
    number,
    parse_frame,
    parse_scale,
    whole_number,
)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "-inf", "", "one", "0.009", "100.1", "1e400"])
def test_numbers_out_of_range_are_refused_with_the_range(text: str) -> None:
    with pytest.raises(OptionError, match=r"--temperature is .*; give a number from 0.01 to 100\.$"):
        number("--temperature", 0.01, 100)(text)


@pytest.mark.parametrize(("text", "value"), [("0.01", 0.01), ("100", 100.0), (" 1e0 ", 1.0), (0.5, 0.5)])
def test_numbers_in_range_are_taken_ends_included(text: str | float, value: float) -> None:
    assert number("--temperature", 0.01, 100)(text) == value


@pytest.mark.parametrize("text", ["0", "17", "1.5", "nan", "", "C4", "1e1"])
def test_whole_numbers_out_of_range_are_refused_with_the_range(text: str) -> None:
    with pytest.raises(OptionError, match="--channel is .*; give a whole number from 1 to 16"):
        whole_number("--channel", 1, 16)(text)


def test_whole_numbers_in_range_are_taken_ends_included() -> None:
    assert [whole_number("--channel", 1, 16)(text) for text in ("1", "16", 9)] == [1, 16, 9]


@pytest.mark.parametrize(
    ("text", "pitch_classes"),
    [
        ("C major", {0, 2, 4, 5, 7, 9, 11}),
        ("a minor", {0, 2, 4, 5, 7, 9, 11}),
        ("F# major", {6, 8, 10, 11, 1, 3, 5}),
        ("G♭ Major", {6, 8, 10, 11, 1, 3, 5}),
        ("Cb major", {11, 1, 3, 4, 6, 8, 10}),
        ("Bb minor  pentatonic", {10, 1, 3, 5, 8}),
        ("b harmonic minor", {11, 1, 2, 4, 6, 7, 10}),
    ],
)
def test_scales(text: str, pitch_classes: set[int]) -> None:
    assert parse_scale(text) == pitch_classes


@pytest.mark.parametrize("text", ["", "C", "minor", "H minor", "C# ", "C minr", "Cbb major", "C major minor"])
def test_an_unknown_scale_lists_those_that_are_known(text: str) -> None:
    with pytest.raises(OptionError, match="--scale is .*such as 'C minor'") as caught:
        parse_scale(text)
    assert all(name in str(caught.value) for name in SCALES)


def test_a_frame_is_seconds_or_a_note_value() -> None:
    assert parse_frame("0.25") == FrameLength(0.25, is_note_value=False)
    assert parse_frame("1/8") == FrameLength(0.125, is_note_value=True)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1/0", "0/8", "1/", "fast", "61", "1/2/3"])
def test_a_frame_of_no_meaning_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--frame is .*1/8"):
        parse_frame(text)


EIGHTH, HALF_SECOND = FrameLength(1 / 8, is_note_value=True), FrameLength(0.5, is_note_value=False)


@pytest.mark.parametrize(
    ("frame", "bpm", "seconds"),
    [
        (None, None, 0.25),
        (None, 60.0, 0.5),
        (EIGHTH, None, 0.25),
        (EIGHTH, 97.0, 60 / 97 / 2),
        (HALF_SECOND, None, 0.5),
        (HALF_SECOND, 60.0, 0.5),
    ],
)
def test_how_long_a_frame_lasts(frame: FrameLength | None, bpm: float | None, seconds: float) -> None:
    assert math.isclose(frame_seconds(0.25, frame, bpm), seconds, rel_tol=1e-12)


def test_a_frame_made_too_short_by_the_tempo_is_refused() -> None:
    with pytest.raises(OptionError, match=r"A frame would last 0\.0006\d* s"):
        frame_seconds(0.25, FrameLength(1 / 999, is_note_value=True), 400.0)


def test_a_range_upside_down_is_refused() -> None:
    with pytest.raises(OptionError, match="--low is 90 and --high is 20"):
        check_range(90, 20, None)
    check_range(60, 60, None)


def test_a_range_without_a_note_of_the_scale_is_refused() -> None:
    with pytest.raises(OptionError, match="No pitch from --low 61 to --high 61"):
        check_range(61, 61, parse_scale("C major"))
    check_range(60, 61, parse_scale("C major"))


@pytest.mark.parametrize(
    ("own", "text", "clocks"),
    [(0.25, None, 12), (0.125, None, 6), (0.25, "1/8", 12), (0.25, "1/4", 24), (0.1, "1/32", 3)],
)
def test_how_many_clocks_a_frame_lasts(own: float, text: str | None, clocks: int) -> None:
    assert clocks_per_frame(own, None if text is None else parse_frame(text)) == clocks


@pytest.mark.parametrize(
    ("own", "text", "sentence"),
    [
        (0.25, "0.25", "--frame is 0.25 seconds, but --sync midi counts clocks; give a note value, such as 1/8."),
        (0.25, "1/64", "A frame would last 1.5 MIDI clocks; give a --frame of whole ones, such as 1/8."),
        (0.1, None, "A frame would last 4.8 MIDI clocks"),
        (0.25, "1/100", "A frame would last 0.96 MIDI clocks"),
    ],
)
def test_a_frame_that_no_clocks_make_is_refused(own: float, text: str | None, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        clocks_per_frame(own, None if text is None else parse_frame(text))
