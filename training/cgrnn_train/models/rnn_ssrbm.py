"""RNN-ssRBM: a GRU, fed with the frames alone, whose state modulates the spikes' biases of a spike-and-slab RBM.

The paper's closest rival of CGRNN: the same hidden units, but neither h∘s feeds the recurrence nor u enters b̃_v.
"""

from __future__ import annotations

from dataclasses import dataclass

from cgrnn_train.models.continuous_cssrbm import ContinuousCSSRBM
from cgrnn_train.models.cssrbm import BinaryCSSRBM
from cgrnn_train.models.frame_fed import FrameFedSystem
from cgrnn_train.models.kind import Kind
from cgrnn_train.ranges import BELOW_ONE, COUNT, check_ranges, check_slabs


@dataclass(frozen=True, slots=True)
class RNNssRBMConfig:
    """The architecture; the defaults are the paper's sizes.

    Attributes:
        kind: "binary" frames of pitches, or "continuous" ones of sound.
        visible: pitches or samples in a frame.
        hidden: spikes, and as many slabs.
        state: size of the GRU's state u.
        mlp: sizes of the ReLU layers that see the frame.
        dropout: probability of dropping a unit of the MLP's layers.
        state_dropout: probability of dropping a unit of u where it modulates the ssRBM.
        slab_mean: initial μ.
        slab_precision: initial α; of sound it is 1 (`cgrnn_train.models.wave_units`).
        min_precision: lower bound of α, below ``slab_precision``.
    """

    kind: Kind = "binary"
    visible: int = 128
    hidden: int = 250
    state: int = 500
    mlp: tuple[int, ...] = (400, 400)
    dropout: float = 0.0
    state_dropout: float = 0.0
    slab_mean: float = 1.0
    slab_precision: float = 1.0
    min_precision: float = 0.1

    def __post_init__(self) -> None:
        """Raise `ConfigError` on a value that no model can have."""
        check_ranges(self, visible=COUNT, hidden=COUNT, state=COUNT, dropout=BELOW_ONE, state_dropout=BELOW_ONE)
        check_slabs(self)


class RNNssRBM(FrameFedSystem):
    """The model."""

    config: RNNssRBMConfig

    def __init__(self, config: RNNssRBMConfig) -> None:
        if config.kind == "binary":
            rbm = BinaryCSSRBM(
                config.visible,
                config.hidden,
                config.state,
                slab_mean=config.slab_mean,
                slab_precision=config.slab_precision,
                min_precision=config.min_precision,
                modulates_visible=False,
            )
        else:
            rbm = ContinuousCSSRBM(
                config.visible,
                config.hidden,
                config.state,
                slab_mean=config.slab_mean,
                modulates_visible=False,
                modulates_scale=False,
            )
        super().__init__(config, rbm)
