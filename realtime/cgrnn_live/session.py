"""One performance at real ports: opens everything, plays, closes everything, reports."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from cgrnn_live import ports
from cgrnn_live.clock import MILLISECOND, SECOND, InternalClock
from cgrnn_live.constraints import Constraints, Transposed
from cgrnn_live.control_options import UNIFORM, Split, Strength
from cgrnn_live.controls import Controls
from cgrnn_live.lateness import Effort
from cgrnn_live.ledger import SUSTAIN, Ledger, Message
from cgrnn_live.listener import Listener
from cgrnn_live.loading import Sampling, open_engine
from cgrnn_live.midi_clock import CLOCKS_A_QUARTER
from cgrnn_live.options import DEFAULT_BPM, FrameLength, clocks_per_frame, frame_seconds
from cgrnn_live.performance import ending_on_signals, perform
from cgrnn_live.player import Player
from cgrnn_live.portnames import PortError, is_same, match
from cgrnn_live.prompt import read_prompt
from cgrnn_live.recording import MODEL, PLAYER, FileError, Recording
from cgrnn_live.roles import PATIENCE_SECONDS, Mode, Modes
from cgrnn_live.settings import Settings
from cgrnn_live.song_clock import SongClock
from cgrnn_live.status import Status, tell
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
    duration: float | None = None
    api: str = "auto"
    allow_echo: bool = False


def play(setup: Setup) -> dict[str, Any]:
    """Play until the duration is over or a signal ends it, and return the summary that ``--json`` prints.

    Raises:
        UsageError: a port, file or option that cannot be had.
        BundleError: the model's bundle is missing or broken.
    """
    if setup.record is not None and setup.prompt is not None and setup.record.absolute() == setup.prompt.absolute():
        raise FileError(f"{setup.record} is the prompt itself; give another name for the file to record.")
    api = ports.choose_api(setup.api)
    output_name, input_name = _find_ports(setup, api)
    engine, _ = open_engine(setup.sampling)
    settings = setup.settings
    seconds = frame_seconds(engine.frame_spec.frame_seconds, setup.frame, setup.bpm)
    spec = replace(engine.frame_spec, frame_seconds=seconds)
    # Off the beat grid the phrase sounds as it was written; on it a frame is a note value, however long it lasts here.
    prompt_spec = engine.frame_spec if spec.note_value else spec
    prompt = [] if setup.prompt is None else list(read_prompt(setup.prompt, prompt_spec).frames)
    is_listening = setup.mode != "free"
    time = InternalClock(seconds)
    song = None
    quarters = seconds * (setup.bpm or DEFAULT_BPM) / 60
    if setup.sync == "midi":
        clocks = clocks_per_frame(engine.frame_spec.frame_seconds, setup.frame)
        song = SongClock(time, clocks, setup.bpm or DEFAULT_BPM, round(setup.offset * MILLISECOND))
        quarters = clocks / CLOCKS_A_QUARTER
    with ExitStack() as opened:
        heard = _open_input(api, input_name, time, hears_clock=song is not None)
        if heard is not None:
            opened.enter_context(closing(heard))
        output = opened.enter_context(closing(ports.Output(output_name, api)))
        recording = None
        if setup.record is not None:
            recording = Recording(setup.record, time, setup.bpm or DEFAULT_BPM)
            opened.callback(recording.save)

        def send(message: Message, at: int) -> None:
            output.send(message)
            record(MODEL, message, at)

        def record(track: str, message: Message, at: int) -> None:
            if recording is not None:
                recording.add(track, message, at)

        patience = math.ceil(PATIENCE_SECONDS / seconds) if setup.patience is None else setup.patience
        modes = Modes(setup.mode, begins=bool(prompt), patience=patience, trigger=setup.trigger)
        controls = Controls(settings, engine.own_temperature, setup.control_channel)
        listener = None if heard is None else Listener(spec, has_pedal=setup.trigger != SUSTAIN)
        strength = setup.velocity
        player = Player(
            Transposed(engine, settings),
            Constraints(settings, listener),
            song or time,
            Ledger(send, channel=setup.channel, retriggers=setup.retriggers, split=setup.split),
            Effort(engine.sweeps),
            prompt=prompt,
            role=modes,
            listener=listener,
            controls=controls,
            touch=Following(strength.low) if strength.follows else Accents(strength.low, strength.high, quarters),
            passes_pedal=setup.pedal,
            monitor=lambda message, at: None if controls.is_chord(message) else record(PLAYER, message, at),
        )
        frame_count = None if setup.duration is None or song else math.ceil(setup.duration / seconds)
        ends = [] if setup.duration is None or song is None else [_ending(player, time, setup.duration)]
        tell(f"Playing into {output.name!r} with seed {setup.sampling.seed}; Ctrl-C ends it.")
        if heard is not None and is_listening:
            advice = "" if setup.input else "; connect your keyboard to it, or give --input NAME"
            tell(f"Listening to {heard.name!r}{advice}.")
        if heard is not None and song is not None:
            tell(f"Following the MIDI clock that comes into {heard.name!r}: it plays while the song does.")
        with ending_on_signals(player.stop), opened.pop_all(), Status(player, lambda: modes.mode, song) as status:
            perform(player, frame_count, watch=[status.update, *ends, *([recording.update] if recording else [])])
    if setup.record is not None:
        tell(f"Saved {setup.record}, seed {setup.sampling.seed}.")
    return {
        "port": output_name,
        "input": None if heard is None else heard.name,
        "api": api,
        "mode": modes.mode,
        "seed": setup.sampling.seed,
        "frame_seconds": seconds,
        "sync": setup.sync,
        **({} if song is None else {"bpm": round(song.follower.bpm, 3), "clocks_lost": song.follower.lost}),
        "notes": player.notes,
        **player.report.summary(),
    }


def _find_ports(setup: Setup, api: str) -> tuple[str, str | None]:
    """Return the full names of the output and, if one was asked for, the input."""
    output = match(setup.port, ports.list_outputs(api), api, "output")
    if setup.input is None:
        if setup.sync == "midi" and not ports.has_virtual_ports(api):
            raise PortError("No port brings a MIDI clock: give --input NAME, the one that the DAW sends its clock to.")
        if setup.mode != "free" and setup.prompt is None and not ports.has_virtual_ports(api):
            raise PortError(f"There is nothing to {setup.mode}: give --input NAME or --prompt FILE.mid.")
        return output, None
    source = match(setup.input, ports.list_inputs(api), api, "input")
    if is_same(source, output, api) and not setup.allow_echo:
        raise PortError(
            f"Input and output are both {output!r}, so the model would hear itself; give two ports, or --allow-echo."
        )
    return output, source


def _ending(player: Player, clock: InternalClock, seconds: float) -> Callable[[], None]:
    """Stop ``player`` after a time, whether the song plays or not: what to call now and then."""
    end = clock.now() + round(seconds * SECOND)

    def look() -> None:
        if clock.now() >= end:
            player.stop()

    return look


def _open_input(api: str, name: str | None, clock: InternalClock, *, hears_clock: bool) -> ports.Input | None:
    """Open the input that was asked for, else a virtual one where the system can."""
    if name is None and not ports.has_virtual_ports(api):
        return None
    return ports.Input(clock.inbox.put, api, name, hears_clock=hears_clock)
