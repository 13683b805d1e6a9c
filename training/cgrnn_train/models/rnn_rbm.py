"""RNN-RBM: a GRU, fed with the frames alone, whose state modulates both biases of an ordinary RBM over the next frame.

Boulanger-Lewandowski, Bengio and Vincent, "Modeling temporal dependencies in high-dimensional sequences", ICML 2012,
with a GRU in the place of the plain recurrent net and an MLP before it, as the paper's comparison has (an LSTM there).
"""

from __future__ import annotations

from dataclasses import dataclass

from cgrnn_train.models.frame_fed import FrameFedSystem
from cgrnn_train.models.gaussian_rbm import GaussianRBM
from cgrnn_train.models.kind import Kind
from cgrnn_train.models.rbm import BinaryRBM
from cgrnn_train.ranges import BELOW_ONE, COUNT, check_ranges


@dataclass(frozen=True, slots=True)
class RNNRBMConfig:
    """The architecture; the defaults are the paper's sizes.

    Attributes:
        kind: "binary" frames of pitches, or "continuous" ones of sound.
        visible: pitches or samples in a frame.
        hidden: hidden units of the RBM.
        state: size of the GRU's state u.
        mlp: sizes of the ReLU layers that see the frame.
        dropout: probability of dropping a unit of the MLP's layers.
        state_dropout: probability of dropping a unit of u where it modulates the RBM.
    """

    kind: Kind = "binary"
    visible: int = 128
    hidden: int = 500
    state: int = 500
    mlp: tuple[int, ...] = (400, 400)
    dropout: float = 0.0
    state_dropout: float = 0.0

    def __post_init__(self) -> None:
        """Raise `ConfigError` on a value that no model can have."""
        check_ranges(self, visible=COUNT, hidden=COUNT, state=COUNT, dropout=BELOW_ONE, state_dropout=BELOW_ONE)


class RNNRBM(FrameFedSystem):
    """The model."""

    config: RNNRBMConfig

    def __init__(self, config: RNNRBMConfig) -> None:
        family = BinaryRBM if config.kind == "binary" else GaussianRBM
        super().__init__(config, family(config.visible, config.hidden, config.state))
