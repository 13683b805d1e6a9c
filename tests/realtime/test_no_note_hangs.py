"""Whatever happens, no note is left sounding: random runs of a whole stage, heard by a receiver like a synthesiser."""

import contextlib
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cgrnn_bundle.frames import PITCHES, FrameSpec
from cgrnn_live.clock import MILLISECOND, Arrival, Clock, OfflineClock
from cgrnn_live.constraints import Constraints, Transposed
from cgrnn_live.controls import Controls
from cgrnn_live.engine import Evidence
from cgrnn_live.lateness import Effort
from cgrnn_live.ledger import CONTROL, NOTE_OFF, NOTE_ON, SUSTAIN, Ledger, Message
from cgrnn_live.listener import Listener
from cgrnn_live.midi_clock import CLOCK, CONTINUE, SONG_POSITION, START, STOP
from cgrnn_live.player import Frame, Player
from cgrnn_live.roles import PROGRAM_CHANGE, Mode, Modes
from cgrnn_live.settings import CONTROLLERS, Settings
from cgrnn_live.song_clock import SongClock
from cgrnn_live.touch import Accents, Following

FRAME_MS = 250


class Fault(Exception):
    """Injected."""


@dataclass
class Receiver:
    """What sounds at the other end, and when the wire fails, once."""

    fails_at: int
    sounding: set[tuple[int, int]] = field(default_factory=set)  # channel, pitch
    pedals: set[int] = field(default_factory=set)  # channels
    count: int = 0

    def __call__(self, message: Message, at: int) -> None:
        self.count += 1
        if self.count == self.fails_at:
            raise Fault("the wire")
        kind, note = message[0] & 0xF0, (message[0] & 0x0F, message[1])
        if kind == NOTE_ON:
            assert message[1] not in {pitch for _, pitch in self.sounding}, "struck twice"
            self.sounding.add(note)
        elif kind == NOTE_OFF:
            self.sounding.discard(note)
        elif message[1] == SUSTAIN and message[2]:
            self.pedals.add(note[0])
        elif message[1] == SUSTAIN:
            self.pedals.discard(note[0])


class Wild:
    """Plays random chords, takes random time, and fails at some call."""

    def __init__(self, clock: Clock, seed: int, fails_at: int) -> None:
        self.clock = clock
        self.random = np.random.default_rng(seed)
        self.left = fails_at

    def _work(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Fault("the model")
        if self.random.random() < 0.1:  # late, by up to two frames
            until = self.clock.now() + int(self.random.integers(2 * FRAME_MS)) * MILLISECOND
            while self.clock.wait(until):
                pass

    def sample(self, evidence: Evidence, sweeps: int | None = None) -> Frame:
        self._work()
        return (self.random.random(PITCHES) < 0.05) | (evidence.clamp == 1)

    def advance(self, heard: Frame) -> None:
        self._work()


MESSAGES = st.one_of(
    st.builds(lambda pitch: (NOTE_ON, pitch, 64), st.integers(40, 60)),
    st.builds(lambda pitch: (NOTE_OFF, pitch, 0), st.integers(40, 60)),
    st.builds(lambda number, value: (CONTROL, number, value), st.sampled_from([64, 120, 123]), st.integers(0, 127)),
    st.builds(lambda number, value: (CONTROL, number, value), st.sampled_from(CONTROLLERS), st.integers(0, 127)),
    st.builds(lambda kind, pitch: (kind | 1, pitch, 64), st.sampled_from([NOTE_ON, NOTE_OFF]), st.integers(40, 60)),
    st.builds(lambda number: (PROGRAM_CHANGE, number), st.integers(0, 3)),
    st.sampled_from([(START,), (STOP,), (CONTINUE,), (SONG_POSITION, 4, 0), (SONG_POSITION, 100, 1)]),
)
MANNERS = st.fixed_dictionaries(
    {
        "retriggers": st.booleans(),
        "passes_pedal": st.booleans(),
        "has_pedal": st.booleans(),
        "split": st.none() | st.tuples(st.integers(0, 127), st.integers(1, 3)),
        "touch": st.sampled_from([Following(80), Accents(50, 100, 0.5)]),
        "transpose": st.integers(-24, 24),
        "control_channel": st.sampled_from([None, 2]),
    }
)
EVENTS = st.lists(st.tuples(st.integers(0, 5_000), MESSAGES), max_size=40)


@settings(max_examples=1000, deadline=None)
@given(
    st.sampled_from(["free", "continue", "accompany"]),
    st.booleans(),
    EVENTS,
    st.integers(0, 2**31),
    st.integers(0, 60),
    st.integers(0, 200),
    st.integers(1, 24),
    MANNERS,
)
def test_no_note_hangs_and_nothing_but_the_injected_fault_comes_out(
    mode: Mode, is_synced: bool, events: list, seed: int, model_fails: int, wire_fails: int, frames: int, manner: dict
) -> None:
    arrivals = [Arrival(at * MILLISECOND, message) for at, message in events]
    if is_synced:
        arrivals += [Arrival(0, (START,)), *(Arrival((5 + 21 * tick) * MILLISECOND, (CLOCK,)) for tick in range(240))]
    arrivals.sort(key=lambda arrival: arrival.at)
    clock: Clock = OfflineClock(FRAME_MS / 1000, arrivals)
    if is_synced:
        clock = SongClock(clock, 12, 120)
    receiver = Receiver(wire_fails)
    ledger = Ledger(receiver, retriggers=manner["retriggers"], split=manner["split"])
    current = Settings(transpose=manner["transpose"])
    listener = Listener(FrameSpec(FRAME_MS / 1000), has_pedal=manner["has_pedal"])
    player = Player(
        Transposed(Wild(clock, seed, model_fails), current),
        Constraints(current, listener),
        clock,
        ledger,
        Effort(5),
        role=Modes(mode, begins=mode == "free", patience=3, trigger=None if manner["has_pedal"] else 64),
        listener=listener,
        controls=Controls(current, 1.0, manner["control_channel"]),
        touch=manner["touch"],
        passes_pedal=manner["passes_pedal"],
    )
    if is_synced:
        _leave_a_song_that_stands(player, clock)
    with contextlib.suppress(Fault):
        player.run(frames)
    if not 0 < wire_fails <= receiver.count:
        assert not receiver.sounding
        assert not receiver.pedals
    ledger.silence(clock.now())  # a note whose end the wire lost can still be ended
    assert not receiver.sounding
    assert not receiver.pedals
    assert not ledger.sounding


def _leave_a_song_that_stands(player: Player, clock: Clock) -> None:
    """Stop the player after eight seconds, as a signal would."""
    wait, ends = clock.wait, clock.now() + 8_000 * MILLISECOND

    def waits(until: int) -> Arrival | None:
        if clock.now() > ends:
            player.stop()
        return wait(until)

    clock.wait = waits
