"""Playing a log again: the performance's .mid, byte for byte, without its ports and in no time, on the same machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cgrnn_bundle import __version__
from cgrnn_bundle.frames import PITCHES
from cgrnn_live.clock import Stopped
from cgrnn_live.control_options import Split, Strength
from cgrnn_live.ledger import Message
from cgrnn_live.loading import Sampling, load_model, make_engine
from cgrnn_live.options import FrameLength
from cgrnn_live.player import Frame
from cgrnn_live.recording import MODEL, PLAYER, FileError, Take, is_same_file, write_whole
from cgrnn_live.session_log import LogError, LoggedClock
from cgrnn_live.settings import Settings
from cgrnn_live.setup import Setup, beats_of, clock_of, frame_count, make_player
from cgrnn_live.status import tell

FORMAT = 1
"""Of the log; another number is another format."""

ELSEWHERE = ("prompt", "record", "log")
"""Files of the setup: the log itself holds what a replay needs of them."""


def header(setup: Setup, model: str, prompt: Sequence[Frame], *, listens: bool) -> dict[str, Any]:
    """Return what a log says of how the performance was set up.

    Args:
        setup: the options.
        model: the model's fingerprint.
        prompt: frames, (128,) booleans each.
        listens: whether anything could come in.
    """
    options = {name: value for name, value in asdict(setup).items() if name not in ELSEWHERE}
    options["sampling"]["scale"] = _sorted(setup.sampling.scale)
    options["settings"] = setup.settings.snapshot()
    return {
        "format": FORMAT,
        "version": __version__,
        "model": model,
        "setup": options,
        "prompt": [np.flatnonzero(frame).tolist() for frame in prompt],
        "listens": listens,
    }


def _sorted(values: frozenset[int] | None) -> list[int] | None:
    return None if values is None else sorted(values)


def replay(log: Path, out: Path) -> dict[str, Any]:
    """Play ``log`` again and write to ``out`` what `--record` wrote, or would have written; return the summary.

    Raises:
        LogError: the log cannot be read, or its model is no longer the same.
        FileError: ``out`` cannot be written.
        BundleError: its model is missing, or broken.
    """
    if is_same_file(log, out):
        raise FileError(f"{out} is the log itself; give another name for the file to write.")
    try:
        with log.open(encoding="ascii", newline="\n") as lines:
            return _replay(log, lines, out)
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"{log} cannot be read as a log ({error}); give a file that --log wrote.") from error


def _replay(log: Path, lines: Iterator[str], out: Path) -> dict[str, Any]:
    setup, prompt, head = _read_header(log, next(lines, ""))
    bundle = load_model(setup.sampling)
    if bundle.fingerprint() != head["model"]:
        raise LogError(f"{log} was played by another model than {bundle.manifest.name!r} is now; restore that one.")
    engine = make_engine(setup.sampling, bundle)
    own = engine.frame_spec
    time = LoggedClock(setup.spec(own).frame_seconds, lines)
    clock = clock_of(setup, own, time, lambda message, at: None)
    beats = beats_of(setup, clock)
    take = Take()

    def keep(track: str, message: Message, at: int) -> None:
        take.add(track, message, beats.moment(at))

    player, _ = make_player(
        setup,
        engine,
        clock,
        prompt=prompt,
        listens=head["listens"],
        send=lambda message, at: keep(MODEL, message, at),
        monitor=lambda message, at: keep(PLAYER, message, at),
    )
    with suppress(Stopped):  # a log that was cut off just before its end: the take ends the notes
        player.run(frame_count(setup, own))
    write_whole(out, take.file(setup.tempo))
    tell(f"Wrote {out}: what was played with seed {setup.sampling.seed}.")
    return {"file": str(out), "seed": setup.sampling.seed, "notes": player.notes, **player.report.summary()}


def _read_header(log: Path, line: str) -> tuple[Setup, list[Frame], dict[str, Any]]:
    """Return the setup, the frames to begin with, and the header itself."""
    try:
        head = json.loads(line)
        if head["format"] != FORMAT:
            found, by = head["format"], head["version"]
            raise LogError(f"{log} has the format {found}, expected {FORMAT}; replay it with cgrnn-live {by}.")
        options = head["setup"]
        sampling, frame, split = options.pop("sampling"), options.pop("frame"), options.pop("split")
        scale = sampling.pop("scale")
        settings = Settings()
        settings.restore(options.pop("settings"))
        setup = Setup(
            sampling=Sampling(**sampling, scale=None if scale is None else frozenset(scale)),
            frame=None if frame is None else FrameLength(**frame),
            settings=settings,
            split=None if split is None else Split(*split),
            velocity=Strength(**options.pop("velocity")),
            **options,
        )
        prompt = [np.isin(np.arange(PITCHES), pitches) for pitches in head["prompt"]]
        return setup, prompt, {"model": str(head["model"]), "listens": bool(head["listens"])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LogError(f"{log} does not begin as a log does ({error}); give a file that --log wrote.") from error
