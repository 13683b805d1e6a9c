"""The pure streaming step of the instrument: evidence in, frame out. No clock, no ports, no threads.

    frame = engine.sample(evidence)    # v_n ~ p(v | u_(n−1), evidence)
    engine.advance(heard)              # u_n from what was really heard in frame n: the engine's notes and the player's

The same bundle, seed and calls give the same frames, bit for bit, on one machine; `snapshot` and `restore` may come
between.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.bundle import Bundle
from cgrnn_bundle.errors import BundleError
from cgrnn_bundle.frames import PITCHES, FrameSpec
from cgrnn_live.sampler import FREE, OFF, ON, Clamp, Sampler
from cgrnn_live.transition import Transition, Vector

Frame = NDArray[np.bool_]

PATIENCE_SECONDS = 3.0
"""A silence this long is broken: songs rest longer, but on a stage one wonders whether the thing still runs."""

MOST_NOTES = 12
"""A frame with more is drawn again: more than two hands hold, and rare enough to be the sampler's noise."""

FEWEST_OF_ITS_OWN = 4
"""What `MOST_NOTES` leaves it beside a player who holds nearly as many, or with the pedal down more."""

REDRAWS = 16
"""Most further draws of a frame that is not to be played: a few milliseconds."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a frame before it is sampled, and what is asked of it.

    Attributes:
        clamp: per pitch −1 free, 0 off, 1 on; (128,) int8.
        voices: the most free pitches that may be on; 0 for as many as there are.
        density: factor on the odds of each free pitch: p(v) becomes p(v) · density^(free pitches that are on), at any
            temperature.
        temperature: T > 0; None for the engine's.
    """

    clamp: Clamp
    voices: int = 0
    density: float = 1.0
    temperature: float | None = None

    @classmethod
    def build(
        cls, low: int = 0, high: int = PITCHES - 1, scale: Iterable[int] | None = None, held: Iterable[int] = ()
    ) -> Evidence:
        """Allow pitches ``low`` to ``high`` (both included) whose pitch class is in ``scale``; ``held`` pitches are on.

        Held pitches may lie outside the range and the scale: they are what somebody plays, not what the model chooses.
        """
        clamp = np.full(PITCHES, OFF, np.int8)
        clamp[low : high + 1] = FREE
        if scale is not None:
            is_foreign = ~np.isin(np.arange(PITCHES) % 12, list(scale))
            clamp[is_foreign] = OFF
        return cls(clamp).holding(held)

    def holding(self, held: Iterable[int]) -> Evidence:
        """The same, but that the pitches ``held`` are on, wherever they lie."""
        clamp = self.clamp.copy()
        clamp[list(held)] = ON
        return replace(self, clamp=clamp)

    def admit(self, frame: Frame) -> Frame:
        """Return of ``frame``, (128,) booleans, what is free and within `voices`: the outermost, the highest first."""
        own = frame & (self.clamp == FREE)
        pitches = np.flatnonzero(own)
        excess = len(pitches) - self.voices
        if self.voices and excess > 0:
            below = self.voices // 2
            own[pitches[below : below + excess]] = False
        return own


class Engine:
    """A CGRNN that listens to frames and draws the next one.

    Attributes:
        frame_spec: what a frame of this bundle means.
        temperature: T > 0 of the whole energy: below 1 plainer, above 1 wilder.
        own_temperature: the bundle's T.
        sweeps: of block Gibbs a frame, at least 1.
    """

    def __init__(
        self, bundle: Bundle, *, seed: int, temperature: float | None = None, sweeps: int | None = None
    ) -> None:
        """Make an engine in state u_0; ``temperature`` and ``sweeps`` default to the bundle's.

        Raises:
            BundleError: the bundle is of sound, or its transition does not run here as it did when it was written.
        """
        manifest, arrays = bundle.manifest, bundle.arrays
        if not isinstance(manifest.frame, FrameSpec):
            raise BundleError(f"{manifest.name} is a model of sound; play it with `cgrnn-live audio`")
        self.frame_spec: FrameSpec = manifest.frame
        self.own_temperature = manifest.temperature
        self.temperature = manifest.temperature if temperature is None else temperature
        self.sweeps = manifest.sweeps if sweeps is None else sweeps
        self._feeds_mean = manifest.spike_slab_feed == "mean"
        self._transition = Transition(bundle)
        self._visible_bias = self._transition.implied["visible_bias"]
        self._hidden_bias = self._transition.implied["hidden_bias"]
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._sampler = Sampler(arrays["weight"], arrays["slab_precision"], arrays["slab_mean"], self._random)
        self._last: Frame = np.zeros(PITCHES, np.bool_)
        self._patience = math.ceil(PATIENCE_SECONDS / self.frame_spec.frame_seconds)
        self._silent_frames = 0

    def reset(self) -> None:
        """Forget what was heard: u_0 and silence. The random stream goes on."""
        self._transition.reset()
        self._last = np.zeros(PITCHES, np.bool_)
        self._silent_frames = 0

    def sample(self, evidence: Evidence, sweeps: int | None = None) -> Frame:
        """Draw the frame to play, (128,) booleans; ``sweeps`` overrides `sweeps` when time is short.

        A frame of more than `MOST_NOTES` or the evidence's voices, or a silent one after `PATIENCE_SECONDS` of silence,
        is drawn again, up to `REDRAWS` times: a sample given that there are neither too many notes nor, by then, none.
        What then is still too much is left out.
        """
        is_held = evidence.clamp == ON
        held = np.count_nonzero(is_held)
        fewest = 1 if self._silent_frames >= self._patience and (evidence.clamp == FREE).any() else 0
        voices = max(MOST_NOTES - held, FEWEST_OF_ITS_OWN)
        if evidence.voices:
            voices = min(voices, evidence.voices)
        frame = self._draw(evidence, sweeps)
        for _ in range(REDRAWS):
            if fewest <= np.count_nonzero(frame) <= held + voices:
                break
            frame = self._draw(evidence, sweeps)
        return replace(evidence, voices=voices).admit(frame) | is_held

    def _draw(self, evidence: Evidence, sweeps: int | None) -> Frame:
        temperature = evidence.temperature or self.temperature
        return self._sampler.sample_frame(
            self._last,
            make_denser(self._visible_bias, evidence.density, temperature),
            self._hidden_bias,
            evidence.clamp,
            sweeps=self.sweeps if sweeps is None else sweeps,
            temperature=temperature,
        )

    def advance(self, heard: Frame) -> None:
        """Close the interval: draw h∘s given the frame that was ``heard``, (128,) booleans, and advance u."""
        transition, sampler = self._transition, self._sampler
        draw = sampler.mean_spike_slab if self._feeds_mean else sampler.sample_spike_slab
        np.copyto(transition.spike_slab, draw(heard, self._hidden_bias))
        np.copyto(transition.frame, heard)
        transition.advance()
        self._last = heard.copy()
        self._silent_frames = 0 if heard.any() else self._silent_frames + 1

    def snapshot(self) -> dict[str, Any]:
        """Everything that the next frames depend on, as arrays and plain values."""
        return {
            **self._transition.snapshot(),
            "last": self._last.copy(),
            "random": self._random.bit_generator.state,
            "temperature": self.temperature,
            "sweeps": self.sweeps,
            "silent_frames": self._silent_frames,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a `snapshot` of an engine with the same bundle."""
        self._transition.restore(snapshot)
        self._last = snapshot["last"].copy()
        self._random.bit_generator.state = snapshot["random"]
        self.temperature, self.sweeps = snapshot["temperature"], snapshot["sweeps"]
        self._silent_frames = snapshot["silent_frames"]


def make_denser(visible_bias: Vector, density: float, temperature: float) -> Vector:
    """Return b̃_v + T log ``density``: at temperature T odds go as b̃_v / T, so each is multiplied by ``density``."""
    return visible_bias if density == 1 else visible_bias + np.float32(temperature * math.log(density))
