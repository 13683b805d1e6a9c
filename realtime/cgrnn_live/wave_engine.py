"""The pure streaming step over sound: a frame out, the frame that was heard in. No clock, no device.

    frame = engine.sample()    # v_n ~ p(v | u_(n−1))
    engine.advance(heard)      # u_n from what was really heard in frame n: the engine's frame, or a prompt's

The same bundle, seed and calls give the same frames, bit for bit, on one machine with as many BLAS threads; `snapshot`
and `restore` may come between. `cgrnn_bundle.waves` turns frames to samples.

A frame is v = c + d g x. Its gain g, how loud it is as a whole, is drawn by itself, for Z is the same for all.

**A frame that is drawn has no DC of its own.** Where frames are a prediction's residuals, c is played without its mean
over the frame: what a prediction leaves of a sound is even about 0, but a learned c is so only nearly, and the
prediction, which takes no drift for the sound's own end, would sum the rest up to more than the sound.

**Where a chain begins.** Sampling frame n starts at the innovation of the frame heard last, x = (v_(n−1) − c) / (g d)
under the c and d of its own time and a gain drawn given it, at 0 before there is one. In free play that is like the end
of the last chain, a draw of p(x | u_(n−2)), and u changes little from frame to frame; so the chain goes on rather than
begins, and slow directions are as likely as the model says. Begun at 0, a model of 250 spikes that each add a hundred
times the unit variance has after 4 sweeps a little more than half the variance that it has in the long run. Only which
spikes are on is handed on: x | h is drawn anew in every sweep.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cgrnn_bundle.bundle import Bundle
from cgrnn_bundle.errors import BundleError
from cgrnn_bundle.layout import MIN_SCALE
from cgrnn_bundle.waves import WaveSpec
from cgrnn_live.transition import Transition
from cgrnn_live.wave_hearing import WaveHearing, draw_index
from cgrnn_live.wave_sampler import WaveSampler

WaveFrame = NDArray[np.float32]


class WaveEngine:
    """A CGRNN over sound that hears frames and draws the next one.

    Attributes:
        spec: what a frame of this bundle means.
        temperature: T > 0 of the whole energy, and of the gains' probabilities: below 1 plainer, above 1 wilder.
        sweeps: of block Gibbs a frame, at least 1.
    """

    def __init__(
        self, bundle: Bundle, *, seed: int, temperature: float | None = None, sweeps: int | None = None
    ) -> None:
        """Make an engine in state u_0; ``temperature`` and ``sweeps`` default to the bundle's.

        Raises:
            BundleError: the bundle is of MIDI, or its transition does not run here as it did when it was written.
        """
        manifest, arrays = bundle.manifest, bundle.arrays
        if not isinstance(manifest.frame, WaveSpec):
            raise BundleError(f"{manifest.name} is a model of MIDI; play it with `cgrnn-live --port NAME`")
        self.spec: WaveSpec = manifest.frame
        self.temperature = manifest.temperature if temperature is None else temperature
        self.sweeps = manifest.sweeps if sweeps is None else sweeps
        self._name = manifest.name
        self._transition = Transition(bundle)
        self._mean = self._transition.implied["visible_mean"]
        self._scale = self._transition.implied["visible_scale"]
        self._hidden_bias = self._transition.implied["hidden_bias"]
        self._gain_logits = self._transition.implied["gain_logits"]
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._gains = arrays["gains"]
        self._sampler = WaveSampler(arrays["weight"], arrays["slab_mean"], self._random)
        self._hearing = WaveHearing(
            arrays["weight"],
            arrays["slab_mean"],
            arrays["gains"],
            self._random,
            feeds_mean=manifest.spike_slab_feed == "mean",
        )
        self._innovation = np.zeros(self.spec.frame_samples)

    def reset(self) -> None:
        """Forget what was heard: u_0, and a chain that begins at 0. The random stream goes on."""
        self._transition.reset()
        self._innovation = np.zeros(self.spec.frame_samples)

    def sample(self, sweeps: int | None = None) -> WaveFrame:
        """Draw the frame to play, (frame_samples,); ``sweeps`` overrides `sweeps` when time is short."""
        x = self._sampler.sample(
            self._innovation,
            self._hidden_bias,
            sweeps=self.sweeps if sweeps is None else sweeps,
            temperature=self.temperature,
        )
        share = np.exp((self._gain_logits - self._gain_logits.max()).astype(np.float64) / self.temperature)
        gain = self._gains[draw_index(self._random, share / share.sum())]
        mean = self._mean - self._mean.mean() if self.spec.order else self._mean
        return (mean + gain * self._scale * x).astype(np.float32)

    def advance(self, heard: WaveFrame) -> None:
        """Close the frame: draw h∘s given what was ``heard``, (frame_samples,), and advance u.

        Raises:
            ValueError: ``heard`` is no frame of this model, or not finite: u would never be finite again.
            BundleError: the transition gives what no model gives.
        """
        if heard.shape != self._mean.shape or not np.isfinite(heard).all():
            found = f"the shape {heard.shape}" if heard.shape != self._mean.shape else "samples that are not finite"
            raise ValueError(f"the frame heard has {found}; expected {self._mean.shape} finite numbers")
        transition = self._transition
        whitened = (heard.astype(np.float64) - self._mean) / self._scale
        self._innovation, feed = self._hearing.hear(whitened, self._hidden_bias, self._gain_logits)
        np.copyto(transition.spike_slab, feed)
        np.copyto(transition.frame, heard)
        transition.advance()
        self._check_outputs()

    def _check_outputs(self) -> None:
        if not np.isfinite(self._transition.outputs).all() or not self._scale.min() >= MIN_SCALE:
            raise BundleError(
                f"{self._name}: transition.onnx gives numbers that are not finite, or a scale below {MIN_SCALE:.3g}, "
                "expected those of a trained model: export it again, or train it longer"
            )

    def snapshot(self) -> dict[str, Any]:
        """Everything that the next frames depend on, as arrays and plain values."""
        return {
            **self._transition.snapshot(),
            "innovation": self._innovation.copy(),
            "random": self._random.bit_generator.state,
            "temperature": self.temperature,
            "sweeps": self.sweeps,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a `snapshot` of an engine with the same bundle."""
        self._transition.restore(snapshot)
        self._innovation = snapshot["innovation"].copy()
        self._random.bit_generator.state = snapshot["random"]
        self.temperature, self.sweeps = snapshot["temperature"], snapshot["sweeps"]
