"""What the sequential variational autoencoders share: Gaussian latents, the bound, its importance-weighted form.

    log p(x_1 … x_T) ≥ Σ_t E_q[ log p(x_t | z_≤t, x_<t) − KL( q(z_t | …) ‖ p(z_t | …) ) ]

The KL term has weight 1 and is analytic, so one draw of the latent path gives an unbiased estimate of a lower bound.
(The comparison of the paper's Table 1 weighs it 0.26 for MIDI: not a bound.) K paths give the tighter bound of Burda,
Grosse and Salakhutdinov, "Importance weighted autoencoders", ICLR 2016.

A system says how one latent path is inferred (`SequentialVAE.infer`), what it predicts, and how it plays a frame.
The literature's nets are LSTMs (or plain recurrent nets); ours are GRUs throughout, as in the other systems here.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgrnn_train.models.emission import emission_of
from cgrnn_train.models.normal import Normal
from cgrnn_train.models.start import FrameStatistics
from cgrnn_train.models.system import BoundSystem

PREDICTION_DRAWS = 32
"""Draws of the latent path behind `System.predict`."""

FRAMES_AT_ONCE = 8192
"""Frames times draws that are inferred together; it bounds the memory."""


class JointMLP(nn.Module):
    """One ReLU layer over several inputs side by side, and a linear one: out(ReLU(Σ_i W_i x_i + b)).

    The inputs' leading dimensions broadcast, so what many draws share is computed once.

    Args:
        inputs: size of each input.
        width: of the ReLU layer.
        outputs: numbers to give.
        dropout: probability of dropping a unit of the ReLU layer.
    """

    def __init__(self, inputs: tuple[int, ...], width: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        scale = sum(inputs) ** -0.5
        self.weights = nn.ParameterList(torch.empty(width, size).uniform_(-scale, scale) for size in inputs)
        self.bias = nn.Parameter(torch.empty(width).uniform_(-scale, scale))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, outputs)

    def forward(self, *inputs: Tensor) -> Tensor:
        """The numbers (..., outputs) for ``inputs``, each (..., size)."""
        hidden = F.linear(inputs[0], self.weights[0], self.bias)
        for value, weight in zip(inputs[1:], self.weights[1:], strict=True):
            hidden = hidden + F.linear(value, weight)
        return self.output(self.dropout(torch.relu(hidden)))


class LatentPath(NamedTuple):
    """One draw of the latent path of each row, and what the model says along it.

    Where frames of one sequence met the noise of many paths, what does not depend on the path has one row.

    Attributes:
        numbers: of the emission p(x_t | z_≤t, x_<t), (batch, time, visible · numbers a unit).
        posterior: q(z_t | …), (batch, time, latent).
        prior: p(z_t | z_<t, x_<t), (batch, time, latent).
        latent: z_t, drawn from the posterior, (batch, time, latent).
        state: of the generating net *before* frame t, (batch, time, state).
    """

    numbers: Tensor
    posterior: Normal
    prior: Normal
    latent: Tensor
    state: Tensor


class SequentialVAE(BoundSystem):
    """A system with Gaussian latents in every frame, trained through draws of their path.

    Args:
        config: the system's own.
        sees: size of each input of the decoder, the net that gives the emission.
    """

    def __init__(self, config: Any, sees: tuple[int, ...]) -> None:
        super().__init__()
        self.config = config
        self.emission = emission_of(config.kind)
        self.decoder = JointMLP(sees, config.width, config.visible * self.emission.outputs, config.dropout)
        self.state_dropout = nn.Dropout(config.state_dropout)

    @abstractmethod
    def infer(self, frames: Tensor, mask: Tensor | None, noise: Tensor) -> LatentPath:
        """Draw z from the posterior.

        Args:
            frames: (batch, time, visible); for one row, any number of paths may be drawn.
            mask: as for `BoundSystem.bound`.
            noise: standard normal, (batch or paths, time, latent); 0 gives the path of posterior means.
        """

    @abstractmethod
    def before(self) -> tuple[Tensor, ...]:
        """What the model remembers before the first frame, each (size,), for `play`."""

    @abstractmethod
    def after(self, frames: Tensor, path: LatentPath) -> tuple[Tensor, ...]:
        """What the model remembers after ``frames`` (batch, time > 0, visible), each (batch, size), for `play`.

        ``path`` is what `infer` made of them.
        """

    @abstractmethod
    def play(self, memory: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Draw the next frame (..., visible), z from the prior and then the frame; returns it and the next memory.

        Each tensor of ``memory`` is (..., size): as many pieces are played as it has rows.
        """

    def start_from(self, start: FrameStatistics) -> None:
        """See `System.start_from`."""
        with torch.no_grad():
            self.decoder.output.bias.copy_(self.emission.numbers_of(start))

    def bound(self, frames: Tensor, mask: Tensor | None = None, divergence_weight: float = 1.0) -> Tensor:
        """The evidence lower bound by one draw of the latent path, analytic KL; see `BoundSystem.bound`."""
        path = self.infer(frames, mask, self._noise(frames, len(frames)))
        divergence = path.posterior.divergence(path.prior)
        return self.emission.log_probability(path.numbers, frames) - divergence_weight * divergence

    @torch.no_grad()
    def log_likelihood(self, frames: Tensor, samples: int = 1) -> Tensor:
        """The evidence lower bound of one draw, or the importance-weighted bound of K = ``samples`` > 1 draws.

        With w_t = p(x_t | z_≤t, x_<t) p(z_t | z_<t, x_<t) / q(z_t | …) along each path drawn from q, L_t is the log of
        the mean over the paths of w_1 · … · w_t, and E[L_T] ≤ log p(x_1 … x_T), the closer the larger K. Returned are
        the increments L_t − L_(t−1), (time,): their sum L_T is the bound, a single one is not.
        """
        if samples == 1:
            return self.bound(frames[None])[0].double()
        weights: list[Tensor] = []
        for path in self._paths(frames, samples):
            gain = path.prior.log_density(path.latent) - path.posterior.log_density(path.latent)
            weights.append(self.emission.log_probability(path.numbers, frames) + gain)
        totals = torch.cat(weights).double().cumsum(1)  # (samples, time)
        return torch.diff(torch.logsumexp(totals, dim=0) - math.log(samples), prepend=totals.new_zeros(1))

    def kind(self, samples: int) -> str:
        """See `BoundSystem.kind`."""
        if samples == 1:
            return "ELBO, 1 draw (errs low)"
        return f"importance-weighted bound, {samples} draws (errs low)"

    @torch.no_grad()
    def reconstruct(self, frames: Tensor) -> Tensor:
        """The mean given one z from the posterior; see `System.reconstruct`."""
        return self.emission.mean(self.infer(frames, None, self._noise(frames, len(frames))).numbers)

    @torch.no_grad()
    def activations(self, frames: Tensor) -> Tensor:
        """Posterior means, each given the means before it; see `System.activations`."""
        return self.infer(frames, None, torch.zeros_like(self._noise(frames, len(frames)))).posterior.mean

    @torch.no_grad()
    def generate(self, count: int, prompt: Tensor | None = None) -> Tensor:
        """See `System.generate`; a smoothing posterior has seen the prompt to its end."""
        rows = () if prompt is None else prompt.shape[:-2]
        memory, played = tuple(part.expand(*rows, -1) for part in self.before()), list[Tensor]()
        if prompt is not None and prompt.shape[-2]:
            frames = prompt if rows else prompt[None]
            path = self.infer(frames, None, self._noise(frames, len(frames)))
            memory = tuple(part.view(*rows, -1) for part in self.after(frames, path))
        for _ in range(count):
            frame, memory = self.play(memory)
            played.append(frame)
        return torch.stack(played, dim=-2)

    def _predict_from(self, frames: Tensor, imagine: Callable[[Tensor, LatentPath], Tensor]) -> Tensor:
        """`System.predict` where the posterior looks at no later frame: the mean over draws of the past's latents.

        ``imagine(frames, path)`` gives the emission's numbers with each frame's own z drawn from the prior.
        """
        predictions = torch.zeros_like(frames)
        for row, sequence in enumerate(frames):
            for path in self._paths(sequence, PREDICTION_DRAWS):
                predictions[row] += self.emission.mean(imagine(sequence[None], path)).sum(0)
        return predictions / PREDICTION_DRAWS

    def _paths(self, frames: Tensor, samples: int) -> Iterator[LatentPath]:
        """Draw ``samples`` latent paths of one sequence (time, visible), as many at once as memory allows."""
        at_once = max(1, FRAMES_AT_ONCE // max(1, len(frames)))
        for start in range(0, samples, at_once):
            paths = min(at_once, samples - start)
            yield self.infer(frames[None], None, self._noise(frames[None], paths))

    def _noise(self, frames: Tensor, paths: int) -> Tensor:
        return torch.randn(paths, frames.shape[1], self.config.latent, dtype=frames.dtype, device=frames.device)
