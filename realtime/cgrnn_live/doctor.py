"""What is wrong with MIDI, sound and models on this machine, and the fix."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cgrnn_bundle.bundle import Bundle, load
from cgrnn_bundle.errors import BundleError
from cgrnn_bundle.shipped import find_bundle, shipped_bundles
from cgrnn_bundle.waves import WaveCoder, WaveSpec
from cgrnn_live.engine import Engine, Evidence
from cgrnn_live.portnames import PortError
from cgrnn_live.ports import choose_api, has_virtual_ports, list_inputs, list_outputs
from cgrnn_live.sound_card import SoundError, default_device, list_devices
from cgrnn_live.wave_engine import WaveEngine
from cgrnn_live.wave_source import LOUDEST_MODEL_SAMPLE

STEPS = 100
"""Of the engine, timed."""

HEADROOM = 4
"""A step should fit into a frame this many times."""


@dataclass(frozen=True)
class Finding:
    """One thing examined: what, whether it is as it should be, what was found and, if it is not good, the fix."""

    what: str
    is_good: bool
    found: str
    fix: str = ""


def examine(api: str = "auto") -> list[Finding]:
    """Return the findings on the MIDI system, its ports, the sound device and each shipped model."""
    return [*_midi(api), _sound(), *_models()]


def _midi(wanted: str) -> list[Finding]:
    try:
        api = choose_api(wanted)
    except PortError:
        return [Finding("MIDI system", False, "none answers", _midi_fix())]
    outputs, inputs = list_outputs(api), list_inputs(api)
    virtual = (
        "a virtual one is opened while playing" if has_virtual_ports(api) else "there are no virtual ones on Windows"
    )
    return [
        Finding("MIDI system", True, api),
        Finding("MIDI outputs", bool(outputs), ", ".join(outputs) or "none", "" if outputs else _port_fix()),
        Finding("MIDI inputs", True, ", ".join(inputs) or f"none; {virtual}"),
    ]


def _sound() -> Finding:
    try:
        default = default_device().name
        others = [device.name for device in list_devices() if device.name != default]
        also = f"; also there, for `audio --device`: {', '.join(others)}" if others else ""
        return Finding("Sound device", True, default + also)
    except SoundError as error:
        return Finding("Sound device", False, str(error), "MIDI needs none; `cgrnn-live demo` writes files without one")


def _models() -> list[Finding]:
    names = list(shipped_bundles())
    if not names:
        return [Finding("Models", False, "none came with this installation", "reinstall it, or give --model PATH")]
    return [_model(name) for name in names]


def _model(name: str) -> Finding:
    what = f"Model {name}"
    try:
        frame_seconds, step, fix = _open(name)
    except BundleError as error:
        return Finding(what, False, str(error), "reinstall it, and update onnxruntime")
    milliseconds = np.empty(STEPS)
    for index in range(STEPS):
        began = time.perf_counter()
        step()
        milliseconds[index] = 1e3 * (time.perf_counter() - began)
    median, p99 = np.percentile(milliseconds, [50, 99])
    found = f"its probe agrees; a step takes {median:.2f} ms (p99 {p99:.2f}) of a frame's {1e3 * frame_seconds:.4g}"
    is_quick = bool(p99 * HEADROOM < 1e3 * frame_seconds)
    return Finding(what, is_quick, found, "" if is_quick else fix)


def _open(name: str) -> tuple[float, Callable[[], None], str]:
    """Return a model's frame in seconds, its step, and what to do where that is slow.

    A step is one frame drawn and heard, of sound as samples too.
    """
    bundle = load(find_bundle(name))
    if isinstance(bundle.manifest.frame, WaveSpec):
        return bundle.manifest.frame.frame_seconds, _wave_step(bundle), "give fewer sweeps (--gibbs)"
    engine, evidence = Engine(bundle, seed=0), Evidence.build()
    fix = "give fewer sweeps (--gibbs) or a longer --frame"
    return engine.frame_spec.frame_seconds, lambda: engine.advance(engine.sample(evidence)), fix


def _wave_step(bundle: Bundle) -> Callable[[], None]:
    engine = WaveEngine(bundle, seed=0)
    coder = WaveCoder(engine.spec, loudest=LOUDEST_MODEL_SAMPLE)

    def step() -> None:
        frame = engine.sample()
        coder.decode(frame)
        engine.advance(frame)

    return step


def _midi_fix() -> str:
    if sys.platform == "darwin":
        return "restart the computer: CoreMIDI is part of macOS"
    if sys.platform == "win32":
        return "restart the Windows Audio service: MIDI is part of Windows"
    return (
        "load ALSA's sequencer (`sudo modprobe snd-seq`) or start a JACK server (under PipeWire: `pw-jack cgrnn-live`)"
    )


def _port_fix() -> str:
    if sys.platform == "darwin":
        return "in Audio MIDI Setup > Show MIDI Studio > IAC Driver, tick 'Device is online'; then --port 'IAC Bus'"
    if sys.platform == "win32":
        return (
            "install loopMIDI and add a port in it; then --port loopMIDI, and choose that port as your DAW's MIDI input"
        )
    return "start your DAW or a synth with a MIDI input; or load ALSA's loop, `sudo modprobe snd-virmidi`"
