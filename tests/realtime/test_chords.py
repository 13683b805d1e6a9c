"""The names of chords."""

import itertools

import pytest

from cgrnn_bundle.frames import PITCHES
from cgrnn_live.chords import CHORDS, parse_chord
from cgrnn_live.options import OptionError
from cgrnn_live.settings import Settings


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("C", {0, 4, 7}),
        ("Cmaj7", {0, 4, 7, 11}),
        ("CM7", {0, 4, 7, 11}),
        ("cm7", {0, 3, 7, 10}),
        ("F#m7b5", {6, 9, 0, 4}),
        ("Bb", {10, 2, 5}),
        ("b7", {11, 3, 6, 9}),
        ("Ebmin", {3, 6, 10}),
        ("E♭dim7", {3, 6, 9, 0}),
        ("A+", {9, 1, 5}),
        ("Dsus4", {2, 7, 9}),
        ("C/Bb", {0, 4, 7, 10}),
        ("G add9", {7, 11, 2, 9}),
    ],
)
def test_chords(text: str, classes: set[int]) -> None:
    assert parse_chord(text) == classes


@pytest.mark.parametrize("text", ["", "H", "Cfoo", "C/", "C/H", "maj7", "C##"])
def test_an_unknown_chord_lists_those_that_are_known(text: str) -> None:
    with pytest.raises(OptionError, match="--chord is .*such as 'Cmaj7'") as caught:
        parse_chord(text)
    assert all(name in str(caught.value) for name in CHORDS)


def test_every_named_chord_can_be_read() -> None:
    for root, name in itertools.product(["C", "Gb"], CHORDS):
        assert len(parse_chord(root + name)) == len(CHORDS[name])


def test_the_pitches_are_midis() -> None:
    assert Settings().high == PITCHES - 1
