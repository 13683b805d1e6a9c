"""The roll: exact pictures of a few frames."""

import numpy as np
import pytest

from cgrnn_live.roll import GUTTER, LONGEST, Roll, glyphs, owners_of
from cgrnn_live.view import coloured
from stage import chord

NOBODY = chord()


def roll(*frames: tuple[list[int], list[int]]) -> Roll:
    """A roll of these pitches: the model's and the player's."""
    made = Roll()
    for model, player in frames:
        made.add(chord(*model), chord(*player))
    return made


def text(made: Roll, columns: int, height: int, now: tuple[list[int], list[int]] | None = None) -> list[str]:
    gutter, cells = made.picture(GUTTER + columns, height, None if now is None else owners_of(*now))
    assert cells.shape == (height, columns)
    return [name + row for name, row in zip(gutter, glyphs(cells), strict=True)]


def test_two_pitches_share_a_row_and_the_players_are_dashed() -> None:
    made = roll(([60], []), ([60, 61], []), ([61], [60]), ([60], [61]), ([], [60, 61]), ([], [61]), ([], [60]))
    assert text(made, 8, 4) == [
        "            ",
        "            ",
        "C4   ▄█▛▙▌▘▖",
        "            ",
    ]


def test_a_pitch_that_both_sound_is_the_players() -> None:
    assert text(roll(([60], [60])), 2, 1) == ["C4   ▖"]


def test_an_interval_that_is_not_over_is_the_last_column() -> None:
    assert text(roll(([60], [])), 3, 1, now=([61], [60])) == ["C4   ▄▛"]


def test_the_newest_columns_are_shown() -> None:
    made = roll(*[([60 + number % 2], []) for number in range(2 * LONGEST)])
    assert text(made, 4, 1) == ["C4  ▄▀▄▀"]
    assert text(made, LONGEST, 1) == ["C4  " + "▄▀" * (LONGEST // 2)]
    assert made.picture(LONGEST + 100, 1)[1].shape == (1, LONGEST)


def test_the_range_stays_until_a_note_falls_out_of_it_and_then_all_are_in_its_middle() -> None:
    made = roll(([], []))
    assert [name.strip() for name in made.picture(10, 12)[0]] == [""] * 5 + ["C4"] + [""] * 5 + ["C3"]
    made.add(chord(71), NOBODY)  # the highest that is shown
    assert made.picture(10, 12)[0][5].strip() == "C4"
    assert glyphs(made.picture(10, 12)[1])[0] == "     ▀"
    made.add(chord(80), NOBODY)  # from 71 to 80: four rows with half a row above and below, so 7 rows remain each
    gutter, cells = made.picture(10, 12)
    assert gutter[7].strip() == "C5"
    assert np.flatnonzero(cells.any(axis=1)).tolist() == [7 - (80 - 72) // 2, 7 + 1]


def test_arrows_say_that_there_are_notes_beyond() -> None:
    gutter, cells = roll(([0, 64, 127], [])).picture(10, 12)
    assert (gutter[0].strip(), gutter[-1].strip()) == ("▲", "▼")
    assert np.count_nonzero(cells) == 1


@pytest.mark.parametrize("pitch", [0, 1, 126, 127])
def test_the_range_ends_where_midi_does(pitch: int) -> None:
    gutter, cells = roll(([pitch], [])).picture(10, 10)
    assert np.flatnonzero(cells.any(axis=1)).tolist() == [0 if pitch > 64 else 9]
    assert not {"▲", "▼"} & {name.strip() for name in gutter}


def test_with_colours_each_half_has_its_own() -> None:
    _, cells = roll(([60], []), ([61], [60]), ([60], [61]), ([], [60, 61]), ([], [])).picture(GUTTER + 5, 1)
    cyan, yellow, plain = "\x1b[36m", "\x1b[33m", "\x1b[0m"
    assert [coloured(row) for row in cells.tolist()] == [f"{cyan}▄\x1b[36;43m▀\x1b[33;46m▀{yellow}█{plain} {plain}"]
