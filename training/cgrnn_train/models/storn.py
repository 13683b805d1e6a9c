"""STORN: a GRU whose input at every frame carries an independent Gaussian latent vector.

    z_t ~ N(0, I)        d_t = GRU([x_(t−1), z_t], d_(t−1))        x_t ~ p(x_t | d_t)
    q(z_t | x_≤t) from the state of a second GRU, the recognition net, over x_1 … x_t

Bayer and Osendorfer, "Learning stochastic recurrent networks", arXiv:1411.7610, 2014, with GRUs in the place of their
plain recurrent nets and a ReLU layer between each state and what it gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cgrnn_train.models.gru import ScanGRU
from cgrnn_train.models.kind import Kind
from cgrnn_train.models.mlp import frame_mlp
from cgrnn_train.models.normal import Normal
from cgrnn_train.models.vae import JointMLP, LatentPath, SequentialVAE
from cgrnn_train.ranges import BELOW_ONE, COUNT, check_ranges


@dataclass(frozen=True, slots=True)
class STORNConfig:
    """The architecture.

    Attributes:
        kind: of the frames: "binary" piano rolls, or "continuous" normalised audio samples.
        visible: pitches or samples in a frame.
        state: size of the state of each of the two GRUs.
        latent: size of z.
        width: of the ReLU layer between a state and what it gives.
        mlp: sizes of the ReLU layers through which both GRUs see the frame.
        dropout: probability of dropping a unit of the MLP's layers and of the decoder's ReLU layer.
        state_dropout: probability of dropping a unit of a state where it gives the posterior or the frame.
    """

    kind: Kind = "binary"
    visible: int = 128
    state: int = 500
    latent: int = 500
    width: int = 400
    mlp: tuple[int, ...] = ()
    dropout: float = 0.0
    state_dropout: float = 0.0

    def __post_init__(self) -> None:
        """Raise `ConfigError` on a value that no model can have."""
        check_ranges(self, visible=COUNT, state=COUNT, latent=COUNT, width=COUNT)
        check_ranges(self, dropout=BELOW_ONE, state_dropout=BELOW_ONE)


class STORN(SequentialVAE):
    """The model over frames of either kind."""

    config: STORNConfig

    def __init__(self, config: STORNConfig) -> None:
        super().__init__(config, (config.state,))
        self.mlp, width = frame_mlp(config.kind, config.visible, config.mlp, config.dropout)
        self.recognition = ScanGRU(width, config.state)
        self.posterior = JointMLP((config.state,), config.width, 2 * config.latent)
        self.gru = ScanGRU(width + config.latent, config.state)

    def infer(self, frames: Tensor, mask: Tensor | None, noise: Tensor) -> LatentPath:
        """See `SequentialVAE.infer`; the posterior is independent of the other frames' z."""
        seen = self.mlp(frames)
        posterior = Normal.of(self.posterior(self.state_dropout(self.recognition(seen)[:, 1:])))
        latent = posterior.at(noise)
        states = self.gru(self._inputs(seen, latent))
        prior = Normal(torch.zeros_like(posterior.mean), torch.ones_like(posterior.std))
        return LatentPath(self.decoder(self.state_dropout(states[:, 1:])), posterior, prior, latent, states[:, :-1])

    @staticmethod
    def _inputs(seen: Tensor, latent: Tensor) -> Tensor:
        """[x_(t−1), z_t], (paths, time, …); x_0 = 0."""
        past = F.pad(seen, (0, 0, 1, 0))[:, :-1]
        return torch.cat([past.expand(len(latent), -1, -1), latent], dim=-1)

    @torch.no_grad()
    def predict(self, frames: Tensor) -> Tensor:
        """See `System.predict`: z of earlier frames from the posterior, the frame's own from the prior."""
        return self._predict_from(frames, self._imagine)

    def _imagine(self, frames: Tensor, path: LatentPath) -> Tensor:
        inputs = self._inputs(self.mlp(frames), torch.randn_like(path.latent))
        return self.decoder(self.state_dropout(self.gru.step(inputs, path.state)))

    def before(self) -> tuple[Tensor, ...]:
        """The state and x_0, as the GRU sees it; see `SequentialVAE.before`."""
        state = self.gru.initial_state
        return state, state.new_zeros(self.gru.input_weight.shape[1] - self.config.latent)

    def after(self, frames: Tensor, path: LatentPath) -> tuple[Tensor, ...]:
        """The state and x_t, as the GRU sees it; see `SequentialVAE.after`."""
        seen = self.mlp(frames)
        return self.gru.step(self._inputs(seen, path.latent)[:, -1], path.state[:, -1]), seen[:, -1]

    def play(self, memory: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `SequentialVAE.play`."""
        state, seen = memory
        latent = torch.randn(*state.shape[:-1], self.config.latent, dtype=state.dtype, device=state.device)
        state = self.gru.step(torch.cat([seen, latent], dim=-1), state)
        frame = self.emission.draw(self.decoder(state))
        return frame, (state, self.mlp(frame))
