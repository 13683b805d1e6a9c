"""How a performance is set up, and the player that this makes: the same at real ports and for a log played again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cgrnn_bundle.frames import FrameSpec
from cgrnn_live.banks import Banks
from cgrnn_live.clock import MILLISECOND, Clock
from cgrnn_live.engine import Engine, Evidence
from cgrnn_live.lateness import Effort
from cgrnn_live.ledger import Ledger, Send
from cgrnn_live.listener import Listener
from cgrnn_live.loading import Sampling
from cgrnn_live.options import DEFAULT_BPM, FrameLength, clocks_per_frame, frame_seconds
from cgrnn_live.player import Control, Frame, Player
from cgrnn_live.prompt import read_prompt
from cgrnn_live.roles import PATIENCE_SECONDS, Mode, Modes
from cgrnn_live.song_clock import SongClock

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
    prompt: Path | None = None
    bpm: float | None = None
    frame: FrameLength | None = None
    channel: int = 1
    velocity: int = 80
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


def song_of(setup: Setup, own: FrameSpec, time: Clock) -> SongClock | None:
    """Return the clock that follows a song, if one is to be followed; OptionError if frames cannot count its clocks."""
    if setup.sync == "internal":
        return None
    clocks = clocks_per_frame(own.frame_seconds, setup.frame)
    return SongClock(time, clocks, setup.tempo, round(setup.offset * MILLISECOND))


def make_player(
    setup: Setup,
    engine: Engine,
    evidence: Evidence,
    clock: Clock,
    *,
    prompt: Sequence[Frame],
    listens: bool,
    send: Send,
    monitor: Send,
    controls: Sequence[Control] = (),
) -> tuple[Player, Modes]:
    """Return the player and who plays when.

    Args:
        setup: the options.
        engine: the model.
        evidence: what its frames may hold.
        clock: the internal one or the song's.
        prompt: frames to begin with.
        listens: whether anything can come in.
        send: where the model's messages go.
        monitor: where those that come in go.
        controls: what else hears those that come in.
    """
    spec = setup.spec(engine.frame_spec)
    patience = math.ceil(PATIENCE_SECONDS / spec.frame_seconds) if setup.patience is None else setup.patience
    modes = Modes(setup.mode, begins=bool(prompt), patience=patience, trigger=setup.trigger)
    player = Player(
        engine,
        evidence,
        clock,
        Ledger(send, channel=setup.channel, velocity=setup.velocity),
        Effort(engine.sweeps),
        prompt=prompt,
        role=modes,
        listener=Listener(spec) if listens else None,
        controls=[Banks(engine).hear, *controls],
        monitor=monitor,
    )
    return player, modes


def frame_count(setup: Setup, own: FrameSpec) -> int | None:
    """Return how many frames the duration has; None if there is none, or a song decides how many there are."""
    if setup.duration is None or setup.sync != "internal":
        return None
    return math.ceil(setup.duration / setup.spec(own).frame_seconds)
