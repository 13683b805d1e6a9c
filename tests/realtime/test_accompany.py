"""The model beside a player who holds keys: the loop on the offline clock; the shipped model around 2,000 chords."""

import numpy as np

from cgrnn_bundle.bundle import load
from cgrnn_bundle.frames import PITCHES
from cgrnn_bundle.shipped import find_bundle
from cgrnn_live.clock import Arrival
from cgrnn_live.engine import MOST_NOTES, Engine, Evidence
from cgrnn_live.ledger import ALL_NOTES_OFF, CONTROL
from cgrnn_live.options import SCALES
from stage import Stage, key


def test_it_waits_for_the_player_and_then_plays_on() -> None:
    stage = Stage([key(600, 50, down=True), key(900, 50, down=False)], accompanies=True, model_begins=False)
    stage.player.run(8)
    # Struck at 600, closed at 730: from frame 3 on the model plays, and goes on when the key is up.
    assert stage.ons() == [(750.0, 60), (1000.0, 61), (1250.0, 62), (1500.0, 63), (1750.0, 64)]
    assert stage.improviser.heard == [[50], [50, 60], [61], [62], [63]]


def test_what_is_held_is_clamped_and_heard_and_not_played() -> None:
    arrivals = [key(300, 50, down=True), key(310, 55, down=True), key(800, 50, down=False)]
    stage = Stage(arrivals, accompanies=True)
    stage.player.run(6)
    assert stage.improviser.held == [[], [], [50, 55], [50, 55], [55], [55]]
    assert stage.improviser.heard == [[60], [50, 55, 61], [50, 55, 62], [55, 63], [55, 64]]
    assert [pitch for _, pitch in stage.ons()] == [60, 61, 62, 63, 64, 65]


def test_a_key_takes_its_note_over_from_the_model_at_once() -> None:
    stage = Stage([key(300, 61, down=True), key(1100, 61, down=False)], accompanies=True)
    stage.player.run(3)
    assert stage.ons() == [(0.0, 60), (250.0, 61), (500.0, 62)]
    assert (300.0, 61) in stage.offs()


def test_a_key_struck_after_the_cut_off_is_left_out_of_the_frame_that_was_chosen() -> None:
    stage = Stage([key(490, 62, down=True)], accompanies=True)
    stage.player.run(4)
    assert [pitch for _, pitch in stage.ons()] == [60, 61, 63]
    assert stage.improviser.heard == [[60], [61], [62]]


def test_all_notes_off_lets_go_of_what_is_held() -> None:
    stage = Stage([key(300, 50, down=True), Arrival(600_000_000, (CONTROL, ALL_NOTES_OFF, 0))], accompanies=True)
    stage.player.run(4)
    assert stage.improviser.held == [[], [], [50], []]


def test_the_players_note_does_not_silence_the_model() -> None:
    stage = Stage([key(300, 50, down=True)], accompanies=True)
    stage.player.run(3)
    assert stage.offs() == [(250.0, 60), (500.0, 61), (750.0, 62)]


def test_around_2000_random_chords_every_held_note_is_kept_and_no_constraint_violated() -> None:
    random = np.random.default_rng(4)
    engine = Engine(load(find_bundle("pop")), seed=4, sweeps=5)
    scales = list(SCALES.values())
    played = 0
    for _ in range(2000):
        low = int(random.integers(0, 100))
        high = int(random.integers(low, PITCHES))
        tonic = int(random.integers(12))
        scale = {(tonic + step) % 12 for step in scales[random.integers(len(scales))]}
        held = random.choice(PITCHES, random.integers(0, 6), replace=False).tolist()
        frame = engine.sample(Evidence.build(low, high, scale).holding(held))
        own = np.flatnonzero(frame).tolist()
        assert set(held) <= set(own)
        own = sorted(set(own) - set(held))
        assert all(low <= pitch <= high and pitch % 12 in scale for pitch in own)
        assert len(own) + len(held) <= MOST_NOTES
        played += len(own)
        engine.advance(frame)
    assert played > 500, "it accompanies"
