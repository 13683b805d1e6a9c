"""The model within bounds that change while it plays: 2,000 frames around random chords; each bound by itself."""

from dataclasses import replace

import numpy as np
import pytest

from cgrnn_bundle.bundle import load
from cgrnn_bundle.frames import FrameSpec
from cgrnn_bundle.shipped import find_bundle
from cgrnn_live.clock import MILLISECOND, Arrival, OfflineClock
from cgrnn_live.constraints import Constraints, Transposed
from cgrnn_live.controls import AVOID, LOWEST, TRANSPOSE, Controls
from cgrnn_live.engine import Engine, Evidence
from cgrnn_live.lateness import Effort
from cgrnn_live.ledger import CONTROL, NOTE_OFF, NOTE_ON, Ledger, Message
from cgrnn_live.listener import RECENT_FRAMES, Listener
from cgrnn_live.player import Player
from cgrnn_live.roles import Accompaniment
from cgrnn_live.sampler import FREE
from cgrnn_live.settings import CONTROLLERS, Settings
from stage import Frame, Scripted, chord, key, pitches, turn

FRAME_MS = 250
CHORD_CHANNEL = 2


def events(frames: int, seed: int) -> list[Arrival]:
    """Keys up and down, chords on another channel and turned knobs, at any time, also between cut-off and deadline."""
    random = np.random.default_rng(seed)
    found: list[Arrival] = []
    down: dict[int, set[int]] = {0: set(), CHORD_CHANNEL - 1: set()}
    for frame in range(frames):
        times = np.sort(random.integers(0, FRAME_MS, 4) + frame * FRAME_MS) * MILLISECOND
        for at in times.tolist():
            what = random.random()
            if what < 0.3:
                message = (CONTROL, int(random.choice(CONTROLLERS)), int(random.integers(128)))
                if message[1] == AVOID:
                    message = (CONTROL, AVOID, message[2] % 4)
            else:
                channel = 0 if what < 0.8 else CHORD_CHANNEL - 1
                keys = down[channel]
                if keys and (len(keys) > 4 or random.random() < 0.5):
                    message = (NOTE_OFF | channel, int(random.choice(sorted(keys))), 0)
                    keys.discard(message[1])
                else:
                    message = (NOTE_ON | channel, int(random.integers(128)), 64)
                    keys.add(message[1])
            found.append(Arrival(at, message))
    return found


class Watched:
    """An improviser of which one sees what it was asked for and what it heard."""

    def __init__(self, improviser: Transposed, listener: Listener) -> None:
        self.improviser = improviser
        self.listener = listener
        self.lost = 0

    def sample(self, evidence: Evidence, sweeps: int | None = None) -> Frame:
        frame = self.improviser.sample(evidence, sweeps)
        self.lost += len(set(self.listener.held) - set(pitches(frame)))
        return frame

    def advance(self, heard: Frame) -> None:
        self.improviser.advance(heard)


def test_in_2000_frames_every_held_note_is_kept_and_no_bound_violated() -> None:
    engine = Engine(load(find_bundle("pop")), seed=4, sweeps=3)
    settings = Settings(classes=frozenset({0, 2, 4, 5, 7, 9, 11}))
    listener = Listener(FrameSpec(FRAME_MS / 1000))
    clock = OfflineClock(FRAME_MS / 1000, events(2000, seed=5))
    improviser = Watched(Transposed(engine, settings), listener)
    violations: list[str] = []
    own: set[int] = set()
    begun = 0

    def send(message: Message, at: int) -> None:
        nonlocal begun
        if message[0] == NOTE_OFF:
            own.discard(message[1])
        if message[0] != NOTE_ON:
            return
        pitch = message[1]
        own.add(pitch)
        begun += 1
        classes = settings.classes if settings.chord is None else settings.chord
        theirs = listener.held + listener.recent
        if not settings.low <= pitch <= settings.high:
            violations.append("range")
        if classes is not None and pitch % 12 not in classes:
            violations.append("scale or chord")
        if settings.voices and len(own) > settings.voices:
            violations.append("voices")
        if settings.avoid and any(abs(pitch - their) <= settings.avoid for their in theirs):
            violations.append("avoid")
        if pitch in listener.held:
            violations.append("held")

    player = Player(
        improviser,
        Constraints(settings, listener),
        clock,
        Ledger(send),
        Effort(engine.sweeps),
        role=Accompaniment(model_plays=True),
        listener=listener,
        controls=Controls(settings, 1.0, CHORD_CHANNEL),
    )
    player.run(2000)
    assert violations == []
    assert improviser.lost == 0
    assert begun > 500, "it accompanies"


def test_a_bound_that_is_narrowed_after_the_frame_was_chosen_holds() -> None:
    """Scripted plays 60, 61, 62, 63: at 490 ms, ten before its frame, 62 is put out of range."""
    sent, settings = perform([turn(490, LOWEST, 63)], frames=4)
    assert [pitch for kind, pitch in sent if kind == NOTE_ON] == [60, 61, 63]
    assert settings.low == 63


def test_a_key_let_go_after_the_frame_was_chosen_is_not_taken_over() -> None:
    sent, _ = perform([key(300, 40, down=True), key(490, 40, down=False)], frames=4)
    assert 40 not in [pitch for _, pitch in sent]


def perform(arrivals: list[Arrival], frames: int) -> tuple[list[tuple[int, int]], Settings]:
    clock = OfflineClock(FRAME_MS / 1000, arrivals)
    settings = Settings()
    listener = Listener(FrameSpec(FRAME_MS / 1000))
    sent: list[Message] = []
    player = Player(
        Transposed(Scripted(clock), settings),
        Constraints(settings, listener),
        clock,
        Ledger(lambda message, at: sent.append(message)),
        Effort(10),
        role=Accompaniment(model_plays=True),
        listener=listener,
        controls=Controls(settings, 1.0),
    )
    player.run(frames)
    return [(kind, pitch) for kind, pitch, _ in sent if kind in (NOTE_ON, NOTE_OFF)], settings


def test_a_transposition_that_changes_while_notes_sound_leaves_none_hanging() -> None:
    sent, _ = perform([turn(300, TRANSPOSE, 76), turn(600, TRANSPOSE, 40)], frames=4)
    assert sent == [
        *((kind, pitch) for pitch in (60, 61, 62 + 12, 63 - 24) for kind in (NOTE_ON, NOTE_OFF)),
    ]


@pytest.mark.parametrize("up", [-7, 5, 24])
def test_transposed_it_plays_the_same_so_much_higher(up: int) -> None:
    model = load(find_bundle("pop"))
    plain, moved = Engine(model, seed=3, sweeps=5), Engine(model, seed=3, sweeps=5)
    transposed = Transposed(moved, Settings(transpose=up))
    played = 0
    for _ in range(60):
        frame = plain.sample(Evidence.build(40, 80).holding([50]))
        higher = transposed.sample(Evidence.build(40 + up, 80 + up).holding([50 + up]))
        assert pitches(higher) == [pitch + up for pitch in pitches(frame)]
        plain.advance(frame)
        transposed.advance(higher)
        played += frame.sum()
    assert played > 60


def test_what_falls_off_the_edge_is_off_but_what_is_held_stays() -> None:
    transposed = Transposed(Scripted(OfflineClock(0.25)), Settings(transpose=-24))
    assert pitches(transposed.sample(Evidence.build().holding([120]))) == [36, 120]


def test_a_frame_that_sounds_is_heard_as_it_was_meant_although_the_transposition_has_changed() -> None:
    inner, settings = Scripted(OfflineClock(0.25)), Settings(transpose=12)
    transposed = Transposed(inner, settings)
    frame = transposed.sample(Evidence.build())
    settings.transpose = 0
    transposed.advance(frame)
    transposed.advance(chord(50))
    assert inner.heard == [[60], [50]]


def test_more_density_is_more_notes() -> None:
    model = load(find_bundle("pop"))
    played = []
    for density in (0.1, 1.0, 3.0):
        engine = Engine(model, seed=1, sweeps=5)
        settings = Settings(density=density)
        count = 0
        for _ in range(100):
            frame = engine.sample(Constraints(settings).holding([]))
            engine.advance(frame)
            count += int(frame.sum())
        played.append(count)
    assert played[0] < played[1] < played[2]


def test_the_engine_draws_no_more_than_the_voices_by_itself() -> None:
    engine = Engine(load(find_bundle("pop")), seed=1)
    counts: list[int] = []
    for _ in range(60):
        frame = engine.sample(replace(Evidence.build(held=[60]), voices=2))
        counts.append(int(np.count_nonzero(frame)))
        engine.advance(frame)
    assert max(counts) == 3, "two beside the one that is held"


def test_beyond_the_voices_the_outermost_notes_stay_the_highest_first() -> None:
    evidence = Evidence.build(held=[62])
    frame = chord(50, 55, 60, 62, 70)
    kept = [pitches(Evidence(evidence.clamp, voices=voices).admit(frame)) for voices in range(6)]
    assert kept == [[50, 55, 60, 70], [70], [50, 70], [50, 60, 70], [50, 55, 60, 70], [50, 55, 60, 70]]


def test_recently_struck_notes_are_avoided_for_a_few_frames() -> None:
    listener = Listener(FrameSpec(0.25))
    constraints = Constraints(Settings(avoid=2), listener)
    listener.hear(key(0, 60, down=True))
    listener.hear(key(10, 60, down=False))
    frees: list[bool] = []
    for frame in range(RECENT_FRAMES + 1):
        clamp = constraints.holding([]).clamp
        frees.append(bool(clamp[62] == FREE))
        assert clamp[63] == clamp[57] == FREE
        listener.close((frame + 1) * FRAME_MS * MILLISECOND)
    assert frees == [False] * RECENT_FRAMES + [True]
