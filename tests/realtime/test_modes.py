"""Going from one mode to another while playing, the trigger, and panic."""

import pytest

from cgrnn_live.clock import MILLISECOND, Arrival
from cgrnn_live.ledger import CONTROL
from cgrnn_live.roles import PROGRAM_CHANGE, Mode, Modes
from stage import Stage, key

FREE, CONTINUE, ACCOMPANY = range(3)


def program(milliseconds: float, number: int, channel: int = 0) -> Arrival:
    return Arrival(round(milliseconds * MILLISECOND), (PROGRAM_CHANGE | channel, number))


def control(milliseconds: float, number: int, value: int) -> Arrival:
    return Arrival(round(milliseconds * MILLISECOND), (CONTROL, number, value))


def stage(mode: Mode, *arrivals: Arrival, begins: bool = True, trigger: int | None = None) -> Stage:
    return Stage(arrivals, role=Modes(mode, begins=begins, patience=4, trigger=trigger))


def test_a_program_change_chooses_the_mode_on_any_channel() -> None:
    modes = Modes("free", begins=False, patience=4)
    for number, mode in ((ACCOMPANY, "accompany"), (CONTINUE, "continue"), (CONTINUE, "continue"), (FREE, "free")):
        assert not modes.control((PROGRAM_CHANGE | number, number))
        assert modes.mode == mode
    modes.control((PROGRAM_CHANGE, 3))
    assert modes.mode == "free"


def test_whoever_plays_goes_on_playing() -> None:
    on = stage("free", program(600, CONTINUE), key(1100, 50, down=True))
    on.player.run(8)
    assert [at for at, _ in on.ons()] == [0.0, 250.0, 500.0, 750.0, 1000.0]  # until the player's note
    assert on.offs()[-1] == (1100.0, 64)


def test_from_free_to_accompany_the_held_note_is_kept_from_then_on() -> None:
    on = stage("free", key(300, 50, down=True), program(700, ACCOMPANY))
    on.player.run(5)
    assert on.improviser.held == [[], [], [], [], [50]]  # frame 3 was chosen when frame 2 was sent
    assert on.improviser.heard == [[60], [61], [62], [50, 63]]


def test_in_free_a_frame_has_a_whole_frame_to_be_sampled_in_though_somebody_could_be_heard() -> None:
    cost = 200 * MILLISECOND  # of every frame but the first, which has 50 ms
    slow = Stage(role=Modes("free", begins=False, patience=4), cost=lambda call, sweeps: cost if call else 0)
    slow.player.run(6)
    assert [at for at, _ in slow.ons()] == [0.0, 250.0, 500.0, 750.0, 1000.0, 1250.0]
    assert (slow.player.report.held, slow.player.report.late) == (0, 0)


def test_from_continue_to_free_it_plays_without_a_phrase() -> None:
    on = stage("continue", program(600, FREE), begins=False)
    on.player.run(5)
    assert [at for at, _ in on.ons()] == [750.0, 1000.0]


def test_the_trigger_passes_the_turn_there_and_back() -> None:
    on = stage(
        "continue",
        key(100, 50, down=True),
        key(200, 50, down=False),
        control(300, 64, 127),
        control(350, 64, 0),  # the pedal comes up
        control(900, 64, 100),
        begins=False,
        trigger=64,
    )
    on.player.run(8)
    assert [at for at, _ in on.ons()] == [500.0, 750.0]  # at once, not after four silent frames
    assert on.offs()[-1][0] == 900.0


def test_without_a_trigger_the_pedal_does_nothing() -> None:
    on = stage("continue", key(100, 50, down=True), key(200, 50, down=False), control(300, 64, 127), begins=False)
    on.player.run(4)
    assert on.ons() == []


@pytest.mark.parametrize("mode", ["free", "continue", "accompany"])
@pytest.mark.parametrize("number", [120, 123])
def test_panic_ends_every_note_at_once_in_every_mode(mode: Mode, number: int) -> None:
    on = stage(mode, control(600, number, 0))
    on.player.run(4)
    assert (600.0, 62) in on.offs()
    assert [at for at, _ in on.ons()] == [0.0, 250.0, 500.0, 750.0]  # and it goes on at the next frame
