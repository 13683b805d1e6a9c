"""CGRNN: a recurrent net whose state modulates a C-ssRBM over each frame (Liu, Xie and Wang, section 3).

    u_n = GRU([ReLU-MLP(v_n), h_n∘s_n], u_(n−1)),      v_n, h_n, s_n ~ C-ssRBM(u_(n−1)),      u_0 learned.

With p(v, h, s | u) = p(v | u) p(h, s | v, u), the likelihood of a sequence is exactly E over (h, s) of Π p(v_n |
u_(n−1)); the paper's "approximation" in (2) is not needed. With the *mean* feed E[h∘s | v, u] there is no latent
noise: the likelihood is Π p(v_n | u_(n−1)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from cgrnn_train.models.continuous_cssrbm import ContinuousCSSRBM
from cgrnn_train.models.cssrbm import BinaryCSSRBM
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.models.kind import Kind
from cgrnn_train.models.mlp import frame_mlp
from cgrnn_train.models.scan import FeedbackScan
from cgrnn_train.models.wave_scan import wave_states
from cgrnn_train.ranges import BELOW_ONE, COUNT, check_ranges, check_slabs

Mode = Literal["D", "S", "full"]
Feed = Literal["mean", "sampled"]


@dataclass(frozen=True, slots=True)
class CGRNNConfig:
    """The architecture; the defaults are the paper's sizes.

    Attributes:
        kind: "binary" frames of pitches, or "continuous" ones of sound.
        visible: pitches or samples in a frame.
        hidden: spikes, and as many slabs.
        state: size of the GRU's state u.
        mlp: sizes of the ReLU layers that see the frame.
        mode: what feeds the recurrence: D (deterministic) MLP(v) only, S (stochastic) h∘s only, full both.
        feed: h∘s is "sampled" (the paper) or its "mean" given v and u.
        dropout: probability of dropping a unit of the MLP's layers.
        state_dropout: probability of dropping a unit of u where it modulates the C-ssRBM.
        feed_dropout: probability of dropping a unit of h∘s where it feeds the recurrence.
        slab_mean: initial μ.
        slab_precision: initial α; of sound it is 1 (`cgrnn_train.models.wave_units`).
        min_precision: lower bound of α, below ``slab_precision``.
        gains: of sound: values of a frame's latent gain (`cgrnn_train.models.gains`); 1 is the paper's model.
    """

    kind: Kind = "binary"
    visible: int = 128
    hidden: int = 250
    state: int = 500
    mlp: tuple[int, ...] = (400, 400)
    mode: Mode = "full"
    feed: Feed = "mean"
    dropout: float = 0.0
    state_dropout: float = 0.0
    feed_dropout: float = 0.0
    slab_mean: float = 1.0
    slab_precision: float = 1.0
    min_precision: float = 0.1
    gains: int = 1

    def __post_init__(self) -> None:
        """Raise `ConfigError` on a value that no model can have."""
        check_ranges(self, visible=COUNT, hidden=COUNT, state=COUNT, gains=COUNT)
        check_ranges(self, dropout=BELOW_ONE, state_dropout=BELOW_ONE, feed_dropout=BELOW_ONE)
        check_slabs(self)


class CGRNN(EnergySystem):
    """The paper's model."""

    config: CGRNNConfig

    def __init__(self, config: CGRNNConfig) -> None:
        super().__init__()
        self.config = config
        if config.kind == "binary":
            self.rbm = BinaryCSSRBM(
                config.visible,
                config.hidden,
                config.state,
                slab_mean=config.slab_mean,
                slab_precision=config.slab_precision,
                min_precision=config.min_precision,
            )
        else:
            self.rbm = ContinuousCSSRBM(
                config.visible, config.hidden, config.state, slab_mean=config.slab_mean, gains=config.gains
            )
        sees_frame, sees_feed = config.mode != "S", config.mode != "D"
        self.mlp, width = frame_mlp(config.kind, config.visible, config.mlp if sees_frame else (), config.dropout)
        self.state_dropout = nn.Dropout(config.state_dropout)
        self.feed_dropout = nn.Dropout(config.feed_dropout)
        gates = 3 * config.state
        scale = config.state**-0.5
        self.frame_weight = nn.Parameter(_uniform(gates, width if sees_frame else 0, scale=scale))
        self.feed_weight = nn.Parameter(_uniform(gates, config.hidden if sees_feed else 0, scale=scale))
        self.state_weight = nn.Parameter(_uniform(gates, config.state, scale=scale))
        self.input_bias = nn.Parameter(_uniform(gates, scale=scale))
        self.state_bias = nn.Parameter(_uniform(gates, scale=scale))
        self.initial_state = nn.Parameter(torch.zeros(config.state))

    @property
    def has_sampled_feed(self) -> bool:
        """Whether the recurrence draws h∘s: then a likelihood is for one draw of the latent path."""
        return self.config.feed == "sampled" and self.config.mode != "D"

    def initial(self) -> Tensor:
        """See `EnergySystem.initial`."""
        return self.initial_state

    def states(self, frames: Tensor, feed: Feed | None = None) -> Tensor:
        """See `EnergySystem.states`; ``feed`` overrides the configuration's."""
        return self._scan(frames, self.initial_state.expand(len(frames), -1), feed)[:, :-1]

    def advance(self, state: Tensor, frame: Tensor) -> Tensor:
        """See `EnergySystem.advance`."""
        return self._scan(frame[:, None], state, None)[:, 1]

    def _scan(self, frames: Tensor, initial: Tensor, feed: Feed | None) -> Tensor:
        """u_0 … u_N (batch, time + 1, state) of ``frames`` (batch, time, visible) from ``initial`` (batch, state)."""
        config = self.config
        is_sampled = (feed or config.feed) == "sampled" and config.mode != "D"
        frames = frames.transpose(0, 1)  # (time, batch, visible)
        time, batch, _ = frames.shape
        gate_input = self.input_bias.expand(time, batch, -1)
        if config.mode != "S":
            gate_input = self.mlp(frames) @ self.frame_weight.T + gate_input
        if config.mode == "D":  # the scan without a feed
            none = frames.new_zeros(time, batch, 0)
            states = FeedbackScan.apply(
                gate_input, none, none, initial, self.state_weight, self.state_bias, self.feed_weight, None
            )
        elif isinstance(self.rbm, ContinuousCSSRBM):
            states = wave_states(
                self.rbm,
                frames,
                gate_input,
                initial,
                self.state_weight,
                self.state_bias,
                self.feed_weight,
                is_sampled=is_sampled,
                feed_dropout=config.feed_dropout if self.training else 0.0,
            )
        else:
            states = self._binary_states(self.rbm, frames, gate_input, initial, is_sampled=is_sampled)
        return states.transpose(0, 1)

    def _binary_states(
        self, rbm: BinaryCSSRBM, frames: Tensor, gate_input: Tensor, initial: Tensor, *, is_sampled: bool
    ) -> Tensor:
        """u_0 … u_N (time + 1, batch, state) where h∘s of ``frames`` (time, batch, visible) is fed."""
        slabs = rbm.slabs()
        drive = frames @ slabs.weight  # a
        slab = slabs.mean + drive / slabs.precision
        base = drive.square() / (2 * slabs.precision) + slabs.mean * drive + rbm.folded_hidden_bias()
        weight = torch.cat([self.state_weight, rbm.hidden_modulation.weight])
        bias = torch.cat([self.state_bias, self.state_bias.new_zeros(self.config.hidden)])
        noise = None
        if is_sampled:
            slab = slab.detach() + torch.randn_like(slab) * rbm.precision.detach().rsqrt()
            noise = torch.rand_like(base)
        slab = self.feed_dropout(slab)
        return FeedbackScan.apply(gate_input, base, slab, initial, weight, bias, self.feed_weight, noise)


def _uniform(*shape: int, scale: float) -> Tensor:
    return torch.empty(*shape).uniform_(-scale, scale)
