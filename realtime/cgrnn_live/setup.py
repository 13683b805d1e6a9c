"""How a performance is set up, and the player that this makes: the same at real ports and for a log played again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from cgrnn_bundle.frames import FrameSpec
from cgrnn_live.banks import Banks
from cgrnn_live.beats import Beats, EvenBeats, SongBeats
from cgrnn_live.clock import MILLISECOND, SECOND, Clock
from cgrnn_live.constraints import Constraints, Transposed
from cgrnn_live.control_options import UNIFORM, Split, Strength
from cgrnn_live.controls import Controls
from cgrnn_live.engine import Engine
from cgrnn_live.lateness import Effort
from cgrnn_live.ledger import SUSTAIN, Ledger, Send
from cgrnn_live.listener import Listener
from cgrnn_live.loading import Sampling
from cgrnn_live.midi_clock import CLOCKS_A_QUARTER
from cgrnn_live.options import DEFAULT_BPM, FrameLength, OptionError, clocks_per_frame, frame_seconds
from cgrnn_live.player import Frame, Hear, Player
from cgrnn_live.prompt import read_prompt
from cgrnn_live.pulse import PulsingClock
from cgrnn_live.roles import PATIENCE_SECONDS, Mode, Modes
from cgrnn_live.settings import Settings
from cgrnn_live.song_clock import SongClock
from cgrnn_live.touch import Accents, Following

Sync = Literal["internal", "midi"]


@dataclass(frozen=True)
class Setup:
    """Where and how to play: the command's options."""

    port: str
    sampling: Sampling
    input: str | None = None
    mode: Mode = "free"
    patience: int | None = None
    trigger: int | None = None
    sync: Sync = "internal"
    offset: float = 0.0
    clock_out: bool = False
    prompt: Path | None = None
    bpm: float | None = None
    frame: FrameLength | None = None
    settings: Settings = field(default_factory=Settings)
    control_channel: int | None = None
    channel: int = 1
    split: Split | None = None
    velocity: Strength = UNIFORM
    retriggers: bool = False
    pedal: bool = False
    record: Path | None = None
    log: Path | None = None
    bars: int = 8
    duration: float | None = None
    api: str = "auto"
    allow_echo: bool = False
    is_quiet: bool = False

    def spec(self, own: FrameSpec) -> FrameSpec:
        """Return what a frame is here, of a model whose ``own`` this is; OptionError if it would last too long."""
        return replace(own, frame_seconds=frame_seconds(own.frame_seconds, self.frame, self.bpm))

    @property
    def tempo(self) -> float:
        """In beats a minute, as far as it is known before a song says otherwise."""
        return self.bpm or DEFAULT_BPM


def prompt_frames(setup: Setup, own: FrameSpec) -> list[Frame]:
    """Return the phrase to begin with; off the beat grid it sounds as it was written, on it a frame is a note value."""
    spec = setup.spec(own)
    return [] if setup.prompt is None else list(read_prompt(setup.prompt, own if spec.note_value else spec).frames)


def clock_of(setup: Setup, own: FrameSpec, time: Clock, send: Send) -> Clock:
    """Return the clock that the player is to have, by ``time``: that, a song's, or one that sends a MIDI clock.

    Raises:
        OptionError: frames of a song that do not last whole clocks, or a MIDI clock that would come in and go out.
    """
    if setup.sync == "internal":
        return PulsingClock(time, 60 * SECOND / setup.tempo, send) if setup.clock_out else time
    if setup.clock_out:
        raise OptionError("--clock-out and --sync midi are both given; let others follow the clock that comes in.")
    clocks = clocks_per_frame(own.frame_seconds, setup.frame)
    return SongClock(time, clocks, setup.tempo, round(setup.offset * MILLISECOND))


def beats_of(setup: Setup, clock: Clock) -> Beats:
    """Return what tells the beats of a performance on ``clock``."""
    if isinstance(clock, SongClock):
        return SongBeats(clock.follower)
    return EvenBeats(lambda: clock.due(0), setup.tempo)


def make_player(
    setup: Setup,
    engine: Engine,
    clock: Clock,
    *,
    prompt: Sequence[Frame],
    listens: bool,
    send: Send,
    monitor: Send,
    others: Sequence[Hear] = (),
) -> tuple[Player, Modes]:
    """Return the player and who plays when.

    Args:
        setup: the options; its settings are the ones that controllers then change.
        engine: the model.
        clock: the internal one or the song's.
        prompt: frames to begin with.
        listens: whether anything can come in.
        send: where the model's messages go.
        monitor: where those that come in go, but the keys that hold a chord.
        others: what else hears those that come in.
    """
    spec, settings, strength = setup.spec(engine.frame_spec), setup.settings, setup.velocity
    patience = math.ceil(PATIENCE_SECONDS / spec.frame_seconds) if setup.patience is None else setup.patience
    modes = Modes(setup.mode, begins=bool(prompt), patience=patience, trigger=setup.trigger)
    controls = Controls(settings, engine.own_temperature, setup.control_channel)
    listener = Listener(spec, has_pedal=setup.trigger != SUSTAIN) if listens else None
    quarters = spec.frame_seconds * setup.tempo / 60
    if setup.sync == "midi":
        quarters = clocks_per_frame(engine.frame_spec.frame_seconds, setup.frame) / CLOCKS_A_QUARTER
    player = Player(
        Transposed(engine, settings),
        Constraints(settings, listener),
        clock,
        Ledger(send, channel=setup.channel, retriggers=setup.retriggers, split=setup.split),
        Effort(engine.sweeps),
        prompt=prompt,
        role=modes,
        listener=listener,
        controls=controls,
        others=[Banks(engine, settings).hear, *others],
        touch=Following(strength.low) if strength.follows else Accents(strength.low, strength.high, quarters),
        passes_pedal=setup.pedal,
        monitor=lambda message, at: None if controls.is_chord(message) else monitor(message, at),
    )
    return player, modes


def frame_count(setup: Setup, own: FrameSpec) -> int | None:
    """Return how many frames the duration has; None if there is none, or a song decides how many there are."""
    if setup.duration is None or setup.sync != "internal":
        return None
    return math.ceil(setup.duration / setup.spec(own).frame_seconds)
