"""How notes are struck, held and told apart: exact messages on the offline clock."""

from collections.abc import Sequence

import pytest

from cgrnn_bundle.frames import FrameSpec
from cgrnn_live.clock import MILLISECOND, Arrival, OfflineClock
from cgrnn_live.constraints import Constraints, Transposed
from cgrnn_live.control_options import Split, Strength, check_trigger, parse_split, parse_velocity
from cgrnn_live.controls import TRANSPOSE, Controls
from cgrnn_live.engine import Evidence
from cgrnn_live.lateness import Effort
from cgrnn_live.ledger import ALL_NOTES_OFF, CONTROL, NOTE_OFF, NOTE_ON, SUSTAIN, Ledger, Message
from cgrnn_live.listener import Listener
from cgrnn_live.options import OptionError
from cgrnn_live.player import Frame, Player
from cgrnn_live.roles import Accompaniment, Role, Turns
from cgrnn_live.settings import Settings
from cgrnn_live.touch import Accents, Following, Touch
from stage import Stage, chord, key, pitches


class Drone:
    """Plays the same chord in each frame, but for what is held."""

    def __init__(self, *notes: int) -> None:
        self.frame = chord(*notes)
        self.heard: list[list[int]] = []

    def sample(self, evidence: Evidence, sweeps: int | None = None) -> Frame:
        return self.frame | (evidence.clamp == 1)

    def advance(self, heard: Frame) -> None:
        self.heard.append(pitches(heard))


def perform(
    drone: Drone,
    arrivals: Sequence[Arrival] = (),
    frames: int = 2,
    *,
    retriggers: bool = False,
    split: tuple[int, int] | None = None,
    touch: Touch | None = None,
    pedal: bool = False,
    role: Role | None = None,
) -> list[tuple[int, Message]]:
    """Return what was sent: milliseconds, message; the last messages of `Ledger.close` left out."""
    clock = OfflineClock(0.25, arrivals)
    settings = Settings()
    listener = Listener(FrameSpec(0.25))
    sent: list[tuple[int, Message]] = []
    Player(
        Transposed(drone, settings),
        Constraints(settings, listener),
        clock,
        Ledger(
            lambda message, at: sent.append((clock.now() // MILLISECOND, message)), retriggers=retriggers, split=split
        ),
        Effort(5),
        role=role or Accompaniment(model_plays=True),
        listener=listener,
        controls=Controls(settings, 1.0),
        touch=touch,
        passes_pedal=pedal,
    ).run(frames)
    return sent[: -2 * (1 if split is None else 2)]


def pedal(milliseconds: int, value: int, channel: int = 0) -> Arrival:
    return Arrival(milliseconds * MILLISECOND, (CONTROL | channel, SUSTAIN, value))


def test_a_note_that_goes_on_is_struck_again_in_each_frame() -> None:
    off = [(NOTE_OFF, 60, 0), (NOTE_OFF, 64, 0)]
    on = [(NOTE_ON, 60, 80), (NOTE_ON, 64, 80)]
    assert perform(Drone(60, 64)) == [*((0, m) for m in on), *((500, m) for m in off)]
    assert perform(Drone(60, 64), retriggers=True) == [
        *((0, m) for m in on),
        *((250, m) for m in off + on),
        *((500, m) for m in off),
    ]


def test_accents_by_the_metre() -> None:
    sent = perform(Drone(60), frames=9, retriggers=True, touch=Accents(60, 90, quarters=0.5))
    assert [message[2] for _, message in sent if message[0] == NOTE_ON] == [90, 60, 70, 60, 80, 60, 70, 60, 90]


@pytest.mark.parametrize(
    ("quarters", "velocities"),
    [
        (1.0, [90, 70, 80, 70, 90]),
        (2.0, [90, 80, 90, 80]),
        (4.0, [90, 90]),
        (3.0, [90, 80, 90, 90, 90]),
        (1 / 3, [90, 60, 60, 70, 60, 60, 80, 60, 60, 70, 60, 60, 90]),
        (0.6, [90, 60, 70, 60, 80, 70, 60, 90]),
    ],
)
def test_each_beat_accents_one_frame_however_long_frames_are(quarters: float, velocities: list[int]) -> None:
    accents = Accents(60, 90, quarters)
    assert [accents.velocity(frame) for frame in range(len(velocities))] == velocities


def test_a_song_may_begin_anywhere() -> None:
    accents = Accents(60, 90, 0.5)
    assert [accents.velocity(frame) for frame in (-8, -4, 8 * 10**6, 8 * 10**6 + 1)] == [90, 80, 90, 60]


def test_it_follows_how_hard_the_player_strikes() -> None:
    arrivals = [
        Arrival(at * MILLISECOND, (NOTE_ON, 40, velocity)) for at, velocity in [(100, 120), (300, 120), (301, 1)]
    ]
    sent = perform(Drone(60), arrivals, 3, retriggers=True, touch=Following(80))
    # 80, then 80 + 40/4, then 90 + 30/4 = 97.5, then 97.5 − 96.5/4 = 73.375
    assert [message[2] for _, message in sent if message[0] == NOTE_ON] == [80, 90, 73]


def test_following_stays_within_what_midi_has() -> None:
    touch = Following(80)
    for velocity, limit in [(127, 127), (1, 1)]:
        for _ in range(200):
            touch.hear(velocity)
        assert touch.velocity(0) == limit


def test_a_note_that_the_pedal_sustains_is_heard_and_held_and_not_struck() -> None:
    drone = Drone(50, 60)
    arrivals = [pedal(100, 127), key(110, 50, down=True), key(200, 50, down=False), pedal(800, 0)]
    sent = perform(drone, arrivals, 6)
    # In the fourth interval, from 730 on, it sounds for 70 ms: less than half.
    assert drone.heard == [[50, 60], [50, 60], [50, 60], [60], [50, 60]]
    # Struck at 110 the key takes its note over; at 800 the pedal goes up, and the frame of 1000 strikes it again.
    assert [(at, message[0]) for at, message in sent if message[1] == 50] == [
        (0, NOTE_ON),
        (110, NOTE_OFF),
        (1000, NOTE_ON),
        (1500, NOTE_OFF),
    ]


def test_what_the_pedal_holds_ends_with_it() -> None:
    listener = Listener(FrameSpec(0.25))
    for arrival in [pedal(0, 64), key(1, 50, down=True), key(2, 52, down=True), key(3, 50, down=False)]:
        listener.hear(arrival)
    assert listener.held == [50, 52]
    listener.hear(pedal(4, 0, channel=3))
    assert listener.held == [50, 52], "another channel's pedal"
    listener.hear(pedal(5, 63))
    assert listener.held == [52], "its key is down"
    listener.hear(key(6, 52, down=False))
    assert listener.held == []


def test_a_panic_ends_what_the_pedal_holds_and_lifts_it() -> None:
    listener = Listener(FrameSpec(0.25))
    panic = Arrival(4, (CONTROL, ALL_NOTES_OFF, 0))
    for arrival in [pedal(0, 127), key(1, 50, down=True), key(2, 50, down=False), panic]:
        listener.hear(arrival)
    assert listener.held == []
    listener.hear(key(5, 50, down=True))
    listener.hear(key(6, 50, down=False))
    assert listener.held == []


def test_as_a_trigger_the_pedal_sustains_nothing() -> None:
    listener = Listener(FrameSpec(0.25), has_pedal=False)
    for arrival in [pedal(0, 127), key(1, 50, down=True), key(2, 50, down=False)]:
        listener.hear(arrival)
    assert listener.held == []


def test_in_continue_it_waits_for_the_pedal_too() -> None:
    arrivals = [pedal(0, 127), key(10, 50, down=True), key(20, 50, down=False), pedal(1200, 0)]
    sent = perform(Drone(60), arrivals, 12, role=Turns(model_plays=False, patience=2))
    assert sent[0] == (1750, (NOTE_ON, 60, 80))  # two silent intervals after that of 980 to 1230; else at 750


def test_the_pedal_is_passed_on_and_released() -> None:
    arrivals = [pedal(100, 100), pedal(300, 0), pedal(400, 127)]
    sent = perform(Drone(60), arrivals, 2, pedal=True)
    assert sent == [
        (0, (NOTE_ON, 60, 80)),
        (100, (CONTROL, SUSTAIN, 100)),
        (300, (CONTROL, SUSTAIN, 0)),
        (400, (CONTROL, SUSTAIN, 127)),
        (500, (NOTE_OFF, 60, 0)),
        (500, (CONTROL, SUSTAIN, 0)),
    ]
    assert perform(Drone(60), arrivals, 2) == [sent[0], sent[4]], "without --pedal"


def test_silence_lifts_the_pedal_on_every_channel_although_a_wire_fails() -> None:
    sent: list[Message] = []

    def send(message: Message, at: int) -> None:
        if message == (NOTE_OFF, 60, 0) and message not in sent:
            sent.append(message)
            raise OSError("the wire")
        sent.append(message)

    ledger = Ledger(send, split=(50, 2))
    ledger.play(chord(40, 60), 0)
    ledger.pedal(127, 0)
    with pytest.raises(OSError, match="wire"):
        ledger.silence(0)
    assert sent[-2:] == [(CONTROL, SUSTAIN, 0), (CONTROL | 1, SUSTAIN, 0)]
    count = len(sent)
    ledger.silence(0)
    assert sent[count:] == [(NOTE_OFF, 60, 0)], "the rest has ended"


def test_the_bass_goes_to_its_channel_and_ends_there_also_after_a_transposition() -> None:
    up = Arrival(100 * MILLISECOND, (CONTROL, TRANSPOSE, 67))
    assert perform(Drone(46, 60), [up], 2, split=(48, 9)) == [
        (0, (NOTE_ON | 8, 46, 80)),
        (0, (NOTE_ON, 60, 80)),
        (250, (NOTE_OFF | 8, 46, 0)),
        (250, (NOTE_OFF, 60, 0)),
        (250, (NOTE_ON, 49, 80)),
        (250, (NOTE_ON, 63, 80)),
        (500, (NOTE_OFF, 49, 0)),
        (500, (NOTE_OFF, 63, 0)),
    ]


def test_closing_releases_both_channels() -> None:
    sent: list[Message] = []
    Ledger(lambda message, at: sent.append(message), channel=3, split=(48, 1)).close(0)
    assert sent == [
        (CONTROL, SUSTAIN, 0),
        (CONTROL, ALL_NOTES_OFF, 0),
        (CONTROL | 2, SUSTAIN, 0),
        (CONTROL | 2, ALL_NOTES_OFF, 0),
    ]


def test_the_same_events_give_the_same_messages() -> None:
    arrivals = [pedal(100, 127), key(110, 50, down=True), key(200, 50, down=False), pedal(800, 0)]
    first, second = Stage(arrivals, accompanies=True), Stage(arrivals, accompanies=True)
    first.player.run(8)
    second.player.run(8)
    assert first.sent == second.sent


@pytest.mark.parametrize(
    ("text", "strength"),
    [
        ("80", Strength(80, 80)),
        (" 1-127 ", Strength(1, 127)),
        ("Follow", Strength(80, 80, follows=True)),
    ],
)
def test_velocities(text: str, strength: Strength) -> None:
    assert parse_velocity(text) == strength
    assert parse_velocity(str(strength)) == strength


@pytest.mark.parametrize("text", ["", "0", "128", "90-60", "0-9", "60-", "-60", "soft", "60-128", "1e1"])
def test_other_velocities_are_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(OptionError, match=r"--velocity is .*; give .* or follow\.$"):
        parse_velocity(text)


def test_splits() -> None:
    assert parse_split("48:2") == Split(48, 2)


@pytest.mark.parametrize("text", ["", "48", "128:2", "48:0", "48:17", ":2", "C3:2", "48:2:3"])
def test_other_splits_are_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(OptionError, match=r"--split is .*; give PITCH:CHANNEL, .* such as 48:2\.$"):
        parse_split(text)


@pytest.mark.parametrize(("trigger", "passes_pedal"), [(20, False), (26, False), (64, True)])
def test_a_trigger_with_another_meaning_is_refused(trigger: int, passes_pedal: bool) -> None:
    with pytest.raises(OptionError, match="--trigger is "):
        check_trigger(trigger, passes_pedal=passes_pedal)


def test_other_triggers_are_free() -> None:
    for trigger, passes_pedal in [(None, True), (64, False), (19, True), (32, True)]:
        check_trigger(trigger, passes_pedal=passes_pedal)
