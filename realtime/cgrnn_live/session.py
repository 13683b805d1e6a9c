"""One performance at real ports: opens everything, plays, closes everything, reports."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from cgrnn_live import ports
from cgrnn_live.capture import Capture
from cgrnn_live.clock import SECOND, InternalClock
from cgrnn_live.connections import Connections
from cgrnn_live.keys import Keys
from cgrnn_live.ledger import Message
from cgrnn_live.loading import load_model, make_engine
from cgrnn_live.performance import ending_on_signals, perform
from cgrnn_live.player import Player
from cgrnn_live.portnames import PortError, is_same, match
from cgrnn_live.pulse import PulsingClock
from cgrnn_live.recording import MODEL, PLAYER, FileError, Recording, is_same_file
from cgrnn_live.replay import header
from cgrnn_live.session_log import LoggingClock, SessionLog
from cgrnn_live.setup import Setup, beats_of, clock_of, frame_count, make_player, prompt_frames
from cgrnn_live.song_clock import SongClock
from cgrnn_live.status import tell
from cgrnn_live.view import View


def play(setup: Setup) -> dict[str, Any]:
    """Play until the duration is over or a signal ends it, and return the summary that ``--json`` prints.

    Raises:
        UsageError: a port, file or option that cannot be had.
        BundleError: the model's bundle is missing or broken.
    """
    _check_files(setup)
    api = ports.choose_api(setup.api)
    output_name, input_name = _find_ports(setup, api)
    bundle = load_model(setup.sampling)
    engine = make_engine(setup.sampling, bundle)
    own = engine.frame_spec
    prompt = prompt_frames(setup, own)
    time = InternalClock(setup.spec(own).frame_seconds)
    with ExitStack() as opened:
        wires = Connections(api, output_name, input_name, time.inbox.put, hears_clock=setup.sync == "midi")
        opened.enter_context(closing(wires))
        heard = wires.input_name
        log = None
        if setup.log is not None:
            head = header(setup, bundle.fingerprint(), prompt, listens=heard is not None)
            log = SessionLog(setup.log, head)
            opened.callback(log.close)
        told = time if log is None else LoggingClock(time, log.entries)
        clock = clock_of(setup, own, told, lambda message, at: wires.send(message))
        song = clock if isinstance(clock, SongClock) else None
        beats = beats_of(setup, clock)
        recording = None if setup.record is None else Recording(setup.record, setup.tempo)
        capture = Capture(beats, setup.bars, Path())

        def send(message: Message, at: int) -> None:
            wires.send(message)
            keep(MODEL, message, at)

        def keep(track: str, message: Message, at: int) -> None:
            moment = beats.moment(at)
            capture.add(track, message, moment)
            if recording is not None:
                recording.add(track, message, moment)

        def end() -> None:
            if isinstance(clock, PulsingClock):
                clock.end(time.now())
            if recording is not None:
                recording.save()

        opened.callback(end)
        player, modes = make_player(
            setup,
            engine,
            clock,
            prompt=prompt,
            listens=heard is not None,
            send=send,
            monitor=lambda message, at: keep(PLAYER, message, at),
            others=[capture.hear],
        )
        watch = [wires.look, capture.update]
        watch += [recording.update] if recording else []
        watch += [log.update] if log else []
        if setup.duration is not None and song is not None:
            watch.append(_ending(player, time, setup.duration))
        tell(f"Playing into {output_name!r} with seed {setup.sampling.seed}; Ctrl-C ends it.")
        if heard is not None and setup.mode != "free":
            advice = "" if setup.input else "; connect your keyboard to it, or give --input NAME"
            tell(f"Listening to {heard!r}{advice}.")
        if heard is not None and song is not None:
            tell(f"Following the MIDI clock that comes into {heard!r}: it plays while the song does.")
        keys = Keys(time.inbox.put, time.now, player.stop, are_wanted=not setup.is_quiet)
        bpm = setup.tempo if setup.frame is None or setup.frame.is_note_value else None
        view = View(
            player, lambda: modes.mode, song, bpm=bpm, now=time.now, keys=keys.are_read, is_shown=not setup.is_quiet
        )
        with ending_on_signals(player.stop), opened.pop_all(), keys, view:
            perform(player, frame_count(setup, own), watch=[view.update, *watch])
    if setup.record is not None:
        tell(f"Saved {setup.record}, seed {setup.sampling.seed}.")
    if setup.log is not None:
        tell(f"Logged in {setup.log}; `cgrnn-live replay` plays it again.")
    return {
        "port": output_name,
        "input": heard,
        "api": api,
        "mode": modes.mode,
        "seed": setup.sampling.seed,
        "frame_seconds": setup.spec(own).frame_seconds,
        "sync": setup.sync,
        **({} if song is None else {"bpm": round(song.follower.bpm, 3), "clocks_lost": song.follower.lost}),
        "notes": player.notes,
        "reconnections": wires.reopened,
        **player.report.summary(),
    }


def _check_files(setup: Setup) -> None:
    """Raise FileError if one file would replace another."""
    files = {"the prompt": setup.prompt, "the file to record": setup.record, "the log": setup.log}
    named = [(what, path) for what, path in files.items() if path is not None]
    for (what, path), (other, same) in itertools.combinations(named, 2):
        if path.absolute() == same.absolute() or is_same_file(path, same):
            raise FileError(f"{same} is {what} itself; give another name for {other}.")


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
