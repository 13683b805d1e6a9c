"""How well this machine keeps time: the model's step, the deadlines that it keeps, the way through the MIDI system.

Each beside what bounds it: the step beside the time from cut-off to deadline, the deadlines beside a loop that only
waits, in the same seconds; the way through the MIDI system is nobody's but the system's. Deadlines are measured where
they are tightest, accompanying: a frame is then sampled in the last `LOOKAHEAD` before it is due.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from contextlib import closing
from typing import Any

import numpy as np

from cgrnn_live import ports
from cgrnn_live.clock import MILLISECOND, SECOND, Arrival, InternalClock
from cgrnn_live.engine import Engine, Evidence
from cgrnn_live.lateness import LATE, MARGIN, Effort, Report
from cgrnn_live.ledger import CONTROL, Ledger
from cgrnn_live.listener import Listener
from cgrnn_live.loading import DEFAULT_MODEL, Sampling, open_engine
from cgrnn_live.performance import perform
from cgrnn_live.player import LOOKAHEAD, Player
from cgrnn_live.portnames import PortError
from cgrnn_live.roles import Accompaniment

WARM_STEPS, COLD_STEPS = 300, 100

CACHES = 64 << 20
"""Bytes that are overwritten before a cold step: more than the caches hold, as when a DAW has had the machine."""

HIT = MILLISECOND
"""A frame sent no later than this hit its deadline."""

MESSAGES = 128
"""Sent through the MIDI system: controller `UNDEFINED` with values 0 to 127, on channel 16."""

UNDEFINED = 102
GAP_SECONDS = (0.005, 0.025)
"""Between two of them, at random, so that they meet a system that works by periods at every point of its period."""

Figures = dict[str, Any]
"""What `--json` prints of one part."""


def measure(sampling: Sampling, seconds: float, api: str = "auto") -> Figures:
    """Measure for somewhat more than ``seconds`` and return what ``--json`` prints.

    Raises:
        BundleError: the model's bundle is missing, broken, or of sound.
        PortError: ``api`` was asked for and does not answer; "auto" may find none.
    """
    found, missing = None, ""
    try:
        found = ports.choose_api(api)
    except PortError as error:
        if api != "auto":
            raise
        missing = str(error)
    engine, evidence = open_engine(sampling)
    step = time_steps(engine, evidence)
    engine.reset()
    deadlines = keep_deadlines(engine, evidence, seconds)
    midi = None if found is None else round_trip(found, sampling.seed)
    return {
        "model": sampling.model or DEFAULT_MODEL,
        "seed": sampling.seed,
        "gibbs": engine.sweeps,
        "frame_seconds": engine.frame_spec.frame_seconds,
        "step_ms": step,
        "deadlines": deadlines,
        "midi": {"api": None, "missing": missing} if midi is None else midi,
        "most_gibbs": (most := most_sweeps(step, engine.sweeps, engine.frame_spec.frame_seconds)),
        "judgement": judge(deadlines, most),
    }


def time_steps(engine: Engine, evidence: Evidence) -> Figures:
    """Time the engine back to back and with cold caches: a draw, and a step, which is a draw heard; milliseconds."""
    other = np.zeros(CACHES, np.uint8)
    figures: Figures = {}
    for name, count in (("warm", WARM_STEPS), ("cold", COLD_STEPS)):
        draws, steps = [], []
        for _ in range(count):
            if name == "cold":
                other += 1
            began = time.perf_counter_ns()
            frame = engine.sample(evidence)
            drawn = time.perf_counter_ns()
            engine.advance(frame)
            steps.append(time.perf_counter_ns() - began)
            draws.append(drawn - began)
        figures[name] = {**spread(steps), "draw": spread(draws)}
    return figures


def keep_deadlines(engine: Engine, evidence: Evidence, seconds: float) -> Figures:
    """Accompany nobody, into nothing, for ``seconds``; half a frame away a bare loop keeps as many deadlines."""
    spec = engine.frame_spec
    count = max(1, math.ceil(seconds / spec.frame_seconds))
    role = Accompaniment(model_plays=True)
    ledger = Ledger(lambda message, at: None)
    clock = InternalClock(spec.frame_seconds)
    player = Player(engine, evidence, clock, ledger, Effort(engine.sweeps), role=role, listener=Listener(spec))
    bare = BareLoop(count, round(spec.frame_seconds * SECOND))
    bare.start()
    perform(player, count)
    bare.join()
    return {**hits(player.report), "bare_loop": hits(bare.report)}


class BareLoop(threading.Thread):
    """Waits for one absolute deadline after another and does nothing else: what this machine gives to any program."""

    def __init__(self, count: int, frame_ns: int) -> None:
        """Wait for ``count`` deadlines, ``frame_ns`` apart, the first half of that from a player's that starts now."""
        super().__init__(daemon=True)
        self.report = Report()
        self._grid = InternalClock(frame_ns / SECOND)
        self._count = count
        self._half = frame_ns // 2

    def run(self) -> None:
        """See `threading.Thread.run`."""
        self._grid.start()
        for number in range(self._count):
            due = self._grid.due(number) + self._half
            time.sleep(max(0, due - self._grid.now()) / SECOND)
            self.report.add(self._grid.now() - due)


def hits(report: Report) -> Figures:
    """Return the share of frames due that were sent within `HIT`, that of frames kept, the counts, and the lateness.

    A frame is kept if it is sent within `LATE` of its deadline and was drawn for it.
    """
    due = report.frames + report.dropped
    within = sum(lateness <= HIT for lateness in report.lateness)
    kept = max(0, report.frames - report.late - report.held)
    counts = {name: count for name, count in report.summary().items() if name != "lateness_ms"}
    return {
        **counts,
        "within_1_ms": within / due if due else 0.0,
        "kept": kept / due if due else 0.0,
        "lateness_ms": spread(list(report.lateness)),
    }


def round_trip(api: str, seed: int) -> Figures:
    """Send through the MIDI system into a virtual input of our own; milliseconds there, and their jitter.

    The jitter is that from the quickest hundredth to the slowest. ``missing`` says why where there is none.
    """
    if not ports.has_virtual_ports(api):
        return {"api": api, "missing": "A program can make no ports of its own here, so there is no way to ourselves."}
    random = np.random.default_rng(seed)
    arrived: list[Arrival] = []
    sent: list[int] = []
    before = Counter(ports.list_outputs(api))
    try:
        with closing(ports.Input(arrived.append, api)) as ours:
            new = Counter(ports.list_outputs(api)) - before  # another `cgrnn-live` may have a port of the same name
            name = next((port for port in new if ours.name in port), ours.name)
            with closing(ports.Output(name, api)) as output:
                for number in range(MESSAGES):
                    sent.append(time.perf_counter_ns())
                    output.send((CONTROL | 15, UNDEFINED, number))
                    time.sleep(random.uniform(*GAP_SECONDS))
    except PortError as error:
        return {"api": api, "missing": str(error)}
    return {"api": api, **ways(sent, arrived)}


def ways(sent: list[int], arrived: list[Arrival]) -> Figures:
    """Return how long messages took that were sent at these times (ns), message n with value n, and how many got lost.

    One that comes twice counts when it first came.
    """
    first: dict[int, int] = {}
    for arrival in arrived:
        first.setdefault(arrival.message[-1], arrival.at)
    took = [first[number] - at for number, at in enumerate(sent) if number in first]
    if not took:
        return {"missing": f"None of {len(sent)} messages came back through the MIDI system."}
    low, high = np.percentile(took, [1, 99]) / MILLISECOND
    return {**spread(took), "jitter": round(float(high - low), 3), "messages": len(sent), "lost": len(sent) - len(took)}


def most_sweeps(step_ms: Figures, sweeps: int, frame_seconds: float) -> int:
    """Return how many sweeps fit from cut-off to deadline, by the slowest hundredth of the steps of ``sweeps``."""
    usable = (min(LOOKAHEAD, frame_seconds * SECOND / 2) - MARGIN) / MILLISECOND
    step = max(step_ms[name]["p99"] for name in ("warm", "cold"))
    draw = max(step_ms[name]["draw"]["p99"] for name in ("warm", "cold"))
    hearing = max(0.0, step - draw)
    return max(0, int((usable - hearing) / (draw / sweeps)))


def judge(deadlines: Figures, most: int) -> str:
    """Return one sentence: what this machine does with frames, and what to do about it."""
    advice = f"use --gibbs {most} at most" if most > 0 else "even --gibbs 1 is slow here: take a smaller model"
    due = deadlines["frames"] + deadlines["dropped"]
    lost = round((1 - deadlines["kept"]) * due)
    if lost == 0 and deadlines["reduced"] == 0:
        return f"This machine keeps every frame; {advice}."
    bare = deadlines["bare_loop"]
    bare_lost = round((1 - bare["kept"]) * (bare["frames"] + bare["dropped"]))
    if lost == 0:
        return f"This machine keeps every frame, {deadlines['reduced']} of {due} with fewer sweeps; {advice}."
    what = f"This machine was too late for {lost} of {due} frames"
    if bare_lost >= lost:
        return f"{what}, and so was a loop that only waits ({bare_lost}): something else has the processor; end that."
    return f"{what}; {advice}."


def spread(times: list[int]) -> Figures:
    """Median, 99th percentile and maximum of nanoseconds, in milliseconds."""
    figures = np.percentile(times or [0], [50, 99, 100]) / MILLISECOND
    return dict(zip(("p50", "p99", "max"), figures.round(3).tolist(), strict=True))


def lines(found: Figures) -> list[str]:
    """Return what `measure` found as lines for people."""

    def show(figures: Figures) -> str:
        return ", ".join(f"{name} {figures[name]:.3f}" for name in ("p50", "p99", "max"))

    step, deadlines, midi = found["step_ms"], found["deadlines"], found["midi"]
    bare = deadlines["bare_loop"]["lateness_ms"]
    counts = "".join(f", {deadlines[name]} {name}" for name in ("late", "reduced", "held", "dropped"))
    shown = [
        f"Step of {found['gibbs']} sweeps: {show(step['warm'])} ms; with cold caches {show(step['cold'])}",
        f"Deadlines: {deadlines['frames']} frames of {found['frame_seconds']:g} s; within a millisecond "
        f"{deadlines['within_1_ms']:.1%}, within {LATE // MILLISECOND} {deadlines['kept']:.1%}{counts}",
        f"Sent after the deadline: {show(deadlines['lateness_ms'])} ms; a bare loop {show(bare)}",
    ]
    if "missing" in midi:
        shown.append(f"MIDI: {midi['missing']}")
    else:
        lost = f"{midi['lost']} of {midi['messages']} messages lost"
        shown.append(f"MIDI ({midi['api']}), there and back: {show(midi)} ms, jitter {midi['jitter']:.3f}; {lost}")
    return [*shown, found["judgement"]]
