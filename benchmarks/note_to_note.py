"""From a note that is played to the first note of the model's that answers it, through JACK, and whose time that is.

    python benchmarks/note_to_note.py [--notes 300] [--mode accompany|continue|both] [--model NAME|PATH]

A human in this process strikes keys at random moments of the frame; `cgrnn-live`, in a process of its own, writes down
when each note came in and when each of its own went to the port. Every answer divides into

    transport   from the human's send call to the input's callback: JACK's
    the grid    from there to the deadline of the first frame that can answer: a note that comes `LOOKAHEAD` before a
                deadline or earlier is answered at that deadline, a later one at the next; in "continue" so many frames
                of `--patience` later
    rests       whole frames in which the model then chose to begin no note
    ours        from the deadline to the call that sends the note

which add up to "note to note"; the note's "way out" to the ear is JACK's again.

In "accompany" the model is made silent before each note, so that it is the note that it begins with. Two controls run
in the same minutes in a program of their own: with each note another goes to it, which it sends back, as JACK's dummy
driver, which takes messages once a period, lets any program; and a bare loop in it waits for a deadline once a frame. A
note that JACK lost on its way is left out and counted.

Prints p50, p99 and maximum in milliseconds; exits with 1 if our p99 is above the target.
"""

from __future__ import annotations

import argparse
import bisect
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jack_server import server
from partner import EAR, PARTNER, Human, Log, Stamp, begins_note, partner

from cgrnn_live.clock import MILLISECOND, SECOND
from cgrnn_live.ledger import ALL_NOTES_OFF, CONTROL, NOTE_OFF, NOTE_ON, Message
from cgrnn_live.player import LOOKAHEAD
from cgrnn_live.roles import PROGRAM_CHANGE

TARGET_MS = 5.0
"""Our own delay at p99."""

FRAME_SECONDS = 0.25
PATIENCE = 2
"""Frames, in "continue"."""

CONTINUE, ACCOMPANY = 1, 2
"""The programs."""

ON_ITS_WAY = SECOND // 2
"""A message that was not heard so long after it was sent is lost."""

ECHO_CHANNEL = 15
ECHO_PORT = "cgrnn-bench echo:in"
ECHO = """
import json, sys, threading, time
from cgrnn_live.ports import rtmidi
heard = []
out = rtmidi.MidiOut(rtapi=rtmidi.API_UNIX_JACK, name="cgrnn-bench echo out")
out.open_port(out.get_ports().index(sys.argv[1]))
port = rtmidi.MidiIn(rtapi=rtmidi.API_UNIX_JACK, name="cgrnn-bench echo")
port.open_virtual_port("in")
port.set_callback(lambda event, _: (heard.append((time.perf_counter_ns(), event[0])), out.send_message(event[0])))
late, origin, step = [], time.perf_counter_ns(), int(sys.argv[2])

def wait():
    while True:
        due = origin + (len(late) + 1) * step
        time.sleep(max(0, due - time.perf_counter_ns()) / 1e9)
        late.append(time.perf_counter_ns() - due)

threading.Thread(target=wait, daemon=True).start()
sys.stdin.read()
print(json.dumps({"heard": heard, "late": late}))
"""

Rows = dict[str, list[int]]
"""Nanoseconds, by what they are of."""

ROWS = (
    "note to note",
    "transport",
    "the grid",
    "rests",
    "ours",
    "bare loop",
    "way out",
    "echo: in",
    "echo: out",
    "echo",
)


@dataclass
class Control:
    """What the program that echoes heard, and how late its loop woke (ns)."""

    heard: list[Stamp] = field(default_factory=list)
    late: list[int] = field(default_factory=list)


def main() -> None:
    """Play, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--notes", type=int, default=300, help="in each mode")
    parser.add_argument("--mode", choices=["accompany", "continue", "both"], default="both")
    parser.add_argument("--model", default=None)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    is_met = True
    with server():
        for mode in ("accompany", "continue") if options.mode == "both" else (options.mode,):
            rows, lost = measure(mode, options.notes, options.model, options.seed)
            is_met &= show(mode, options.notes, rows, lost)
    sys.exit(0 if is_met else 1)


def measure(mode: str, notes: int, model: str | None, seed: int) -> tuple[Rows, int]:
    """Play ``notes`` notes to either; return all the times, and how many notes JACK lost."""
    play = play_to_accompaniment if mode == "accompany" else play_to_turns
    arguments = ["--mode", mode, "--frame", FRAME_SECONDS, "--patience", PATIENCE, "--seed", seed]
    arguments += [] if model is None else ["--model", model]
    human = Human()
    trials: list[list[Stamp]] = []
    echoes: list[Stamp] = []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with echo() as control, partner(log, *arguments, stderr=subprocess.DEVNULL):
            send, send_echo = human.hand(PARTNER), human.hand(ECHO_PORT)
            time.sleep(1.0)
            for number in range(notes):
                trial: list[Stamp] = []
                began = play(lambda m, trial=trial: trial.append((send(m), m)), 36 + number % 48)
                trials.append(trial)
                message = (NOTE_ON | ECHO_CHANNEL, number % 128, 1 + number // 128)
                echoes.append((send_echo(message), message))
                human.hears(begins_note, began, 4.0)
        human.close()
        return analyse(mode, trials, Log.read(log), echoes, control, human.heard)


def play_to_accompaniment(send: Callable[[Message], None], pitch: int) -> int:
    """Make the model silent: it yields to a note in "continue". Then strike a key in "accompany"; return when."""
    send((CONTROL, ALL_NOTES_OFF, 0))
    send((PROGRAM_CHANGE, CONTINUE))
    send((NOTE_ON, pitch + 1, 80))
    send((NOTE_OFF, pitch + 1, 0))
    time.sleep(0.1)
    send((PROGRAM_CHANGE, ACCOMPANY))
    time.sleep(0.1 + random.uniform(0, FRAME_SECONDS))
    began = time.perf_counter_ns()
    send((NOTE_ON, pitch, 80))
    return began


def play_to_turns(send: Callable[[Message], None], pitch: int) -> int:
    """Strike a key and release it soon, so that the model yields and waits; return when."""
    send((CONTROL, ALL_NOTES_OFF, 0))
    time.sleep(0.1 + random.uniform(0, FRAME_SECONDS))
    began = time.perf_counter_ns()
    send((NOTE_ON, pitch, 80))
    time.sleep(0.03)
    send((NOTE_OFF, pitch, 0))
    return began


def analyse(
    mode: str, trials: list[list[Stamp]], log: Log, echoes: list[Stamp], control: Control, ear: list[Stamp]
) -> tuple[Rows, int]:
    """Divide each answer; trials of which JACK lost a message are counted only."""
    rows: Rows = {name: [] for name in ROWS} | {"bare loop": control.late}
    origin, frame = log.grid[0], log.grid[1] - log.grid[0]
    ons = [at for at, message in log.sent if begins_note(message)]
    lost = 0
    for trial in trials:
        arrivals = [arrival(stamp, log.heard) for stamp in trial]
        struck = max(index for index, (_, message) in enumerate(trial) if message[0] == NOTE_ON)
        came = arrivals[struck]
        answered = bisect.bisect_right(ons, came or 0)
        if came is None or None in arrivals or answered == len(ons):
            lost += 1
            continue
        answer = ons[answered]
        first = (came + LOOKAHEAD - origin) // frame + 1  # whose cut-off comes after the note
        played = (answer - origin) // frame
        due = origin + frame * min(played, first + (PATIENCE if mode == "continue" else 0))
        rows["note to note"].append(answer - trial[struck][0])
        rows["transport"].append(came - trial[struck][0])
        rows["the grid"].append(due - came)
        rows["rests"].append(origin + frame * played - due)
        rows["ours"].append(answer - origin - frame * played)
        message = next(message for at, message in log.sent if at == answer)
        if (out := arrival((answer, message), ear)) is not None:
            rows["way out"].append(out - answer)
    for stamp in echoes:
        came, back = arrival(stamp, control.heard), arrival(stamp, ear)
        if came is not None and back is not None:
            rows["echo: in"].append(came - stamp[0])
            rows["echo: out"].append(back - came)
            rows["echo"].append(back - stamp[0])
    return rows, lost


def arrival(sent: Stamp, heard: list[Stamp]) -> int | None:
    """When a message arrived; None if it was lost."""
    first = bisect.bisect_left(heard, sent[0], key=lambda stamp: stamp[0])
    for at, message in heard[first:]:
        if at > sent[0] + ON_ITS_WAY:
            return None
        if message == sent[1]:
            return at
    return None


def show(mode: str, notes: int, rows: Rows, lost: int) -> bool:
    """Print the table; return whether the target is met."""
    print(f"{mode}, {notes} notes, of {lost} of which JACK lost a message")
    print(f"{'':16}{'p50':>9}{'p99':>9}{'max':>9}  ms")
    for name, values in rows.items():
        figures = np.percentile(values, [50, 99, 100]) / MILLISECOND
        print(f"{name:16}{figures[0]:9.3f}{figures[1]:9.3f}{figures[2]:9.3f}")
    answered_at_once = np.mean(np.array(rows["rests"]) == 0)
    ours, bare = (float(np.percentile(rows[name], 99)) / MILLISECOND for name in ("ours", "bare loop"))
    print(f"answered at the first deadline: {answered_at_once:.0%}")
    print(
        f"ours at p99: {ours:.3f} ms (target: at most {TARGET_MS:g}); a loop that only waits {bare:.3f}\n", flush=True
    )
    return ours <= TARGET_MS


@contextmanager
def echo() -> Iterator[Control]:
    """Run the control; what is given is filled once it has ended."""
    line = [sys.executable, "-c", ECHO, EAR, str(round(FRAME_SECONDS * SECOND))]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    control = Control()
    try:
        yield control
        told = json.loads(process.communicate(timeout=20)[0])
        control.heard += [(at, tuple(message)) for at, message in told["heard"]]
        control.late += told["late"]
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
