"""Which note is hidden: by hand, and that it is one of the frame's."""

import numpy as np
import pytest

from cgrnn_train.voices import FOUR_VOICES, VOICES, ask, filled, hide


def roll(*chords):
    frames = np.zeros((len(chords), 128), bool)
    for time, chord in enumerate(chords):
        frames[time, list(chord)] = True
    return frames


CHORALE = roll((43, 59, 62, 67), (), (43, 62, 67), (48, 55, 64, 72), (40, 50, 60, 70, 80))


@pytest.mark.parametrize(
    ("voice", "pitches"), [("soprano", [67, 72]), ("alto", [62, 64]), ("tenor", [59, 55]), ("bass", [43, 48])]
)
def test_a_voice_is_a_place_in_a_chord_of_four(voice, pitches):
    hidden = hide(CHORALE, voice, np.random.default_rng(0))
    assert hidden.time.tolist() == [0, 3]
    assert hidden.pitch.tolist() == pitches


def test_the_ends_of_chords_of_two_to_twelve_notes():
    frames = roll((60,), (60, 64), range(40, 52), range(40, 53), (0, 127))
    assert [array.tolist() for array in hide(frames, "highest", np.random.default_rng(0))] == [[1, 2, 4], [64, 51, 127]]
    assert [array.tolist() for array in hide(frames, "lowest", np.random.default_rng(0))] == [[1, 2, 4], [60, 40, 0]]


def test_a_random_note_is_any_of_the_chord_and_the_same_for_a_seed():
    frames = roll(*[(43, 59, 62, 67)] * 400)
    hidden = hide(frames, "random", np.random.default_rng(3))
    assert np.array_equal(hidden.pitch, hide(frames, "random", np.random.default_rng(3)).pitch)
    pitches, counts = np.unique(hidden.pitch, return_counts=True)
    assert pitches.tolist() == [43, 59, 62, 67]
    assert (np.abs(counts - 100) < 4 * (400 * 3 / 16) ** 0.5).all()  # four standard deviations of a binomial


@pytest.mark.parametrize("voice", VOICES)
def test_silence_has_no_voice(voice):
    hidden = hide(roll((), ()), voice, np.random.default_rng(0))
    assert len(hidden.time) == len(hidden.pitch) == 0


def test_an_unknown_voice_names_those_that_there_are():
    with pytest.raises(ValueError, match="'mezzo'; expected one of soprano, alto") as caught:
        hide(CHORALE, "mezzo", np.random.default_rng(0))
    assert all(voice in str(caught.value) for voice in FOUR_VOICES)


def test_questions_come_in_the_order_of_pieces_with_one_note_taken_out():
    pieces = [roll((60, 64), (), (60, 64, 67)), roll((43, 59, 62, 67))]
    asked = ask(pieces, ["highest", "bass"], None, seed=0)
    assert list(zip(asked.piece, asked.time, asked.voice, asked.answer, strict=True)) == [
        (0, 0, 0, 64),
        (0, 2, 0, 67),
        (1, 0, 0, 67),
        (1, 0, 1, 43),
    ]
    assert [np.flatnonzero(known).tolist() for known in asked.known] == [[60], [60, 64], [43, 59, 62], [59, 62, 67]]
    assert [np.flatnonzero(frame).tolist() for frame in asked.frame][2] == [43, 59, 62, 67]


def test_some_of_the_questions_are_some_of_them_all_and_the_same_for_a_seed():
    pieces = [roll(*[(40 + index, 60, 70) for index in range(10)]) for _ in range(8)]
    some, again = (ask(pieces, ["random", "lowest"], 15, seed=2) for _ in range(2))
    every = ask(pieces, ["random", "lowest"], None, seed=2)
    assert np.bincount(some.voice).tolist() == [15, 15]
    assert np.array_equal(some.known, again.known)
    rows = {tuple(row) for row in zip(every.piece, every.time, every.voice, every.answer, strict=True)}
    assert rows > {tuple(row) for row in zip(some.piece, some.time, some.voice, some.answer, strict=True)}
    assert not np.array_equal(some.known, ask(pieces, ["random", "lowest"], 15, seed=3).known)


def test_filled_counts_the_free_pitches_alone():
    asked = ask([roll(*[(60, 64)] * 5)], ["highest"], None, seed=0)
    drawn = roll((60, 64), (60,), (60, 65), (60, 64, 65), (60, 64, 65, 66))
    assert filled(drawn, asked).tolist() == [1, 0, 0, 1 / 2, 1 / 3]
