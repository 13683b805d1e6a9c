"""Hearing a model with nothing else installed: live through the built-in synth, or as files."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path
from typing import Any

from cgrnn_bundle.frames import frames_to_notes
from cgrnn_live.clock import InternalClock
from cgrnn_live.engine import Engine, Evidence
from cgrnn_live.lateness import Effort
from cgrnn_live.ledger import Ledger
from cgrnn_live.loading import Sampling, open_engine
from cgrnn_live.performance import ending_on_signals, perform
from cgrnn_live.player import Player
from cgrnn_live.recording import MODEL
from cgrnn_live.render import improvise, write_notes
from cgrnn_live.sound_card import SoundError
from cgrnn_live.speaker import Speaker
from cgrnn_live.status import Status, tell
from cgrnn_live.synth import synthesise, write_wav

MIDI_FILE, SOUND_FILE = Path("demo.mid"), Path("demo.wav")


def demo(seconds: float, sampling: Sampling) -> dict[str, Any]:
    """Play for ``seconds`` on the default sound device, or write `MIDI_FILE` and `SOUND_FILE`; return the summary.

    Raises:
        UsageError: there is no sound, and the files cannot be written.
        BundleError: the model's bundle is missing or broken.
    """
    engine, evidence = open_engine(sampling)
    count = math.ceil(seconds / engine.frame_spec.frame_seconds)
    try:
        speaker = Speaker()
    except SoundError as error:
        tell(f"{error} Writing {MIDI_FILE} and {SOUND_FILE} here instead.")
        outcome = _write(engine, evidence, count)
        tell(f"Wrote {MIDI_FILE} and {SOUND_FILE}, seed {sampling.seed}.")
    else:
        tell(f"Playing on {speaker.name!r} with seed {sampling.seed}; Ctrl-C ends it.")
        outcome = _sound(speaker, engine, evidence, count)
    return {"seed": sampling.seed, **outcome}


def _sound(speaker: Speaker, engine: Engine, evidence: Evidence, count: int) -> dict[str, Any]:
    player = Player(
        engine,
        evidence,
        InternalClock(engine.frame_spec.frame_seconds),
        Ledger(lambda message, at: speaker.send(message)),
        Effort(engine.sweeps),
    )
    with ending_on_signals(player.stop), closing(speaker), Status(player, lambda: "demo") as status:
        perform(player, count, watch=[status.update])
    return {"device": speaker.name, "notes": player.notes, **player.report.summary()}


def _write(engine: Engine, evidence: Evidence, count: int) -> dict[str, Any]:
    notes = frames_to_notes(improvise(engine, evidence, count), engine.frame_spec)
    write_notes(MIDI_FILE, {MODEL: notes})
    write_wav(SOUND_FILE, synthesise(notes))
    return {"device": None, "files": [str(MIDI_FILE), str(SOUND_FILE)], "frames": count, "notes": len(notes)}
