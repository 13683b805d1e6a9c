"""The systems of the paper's Table 1, by the names of the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cgrnn_train.models.cgrnn import CGRNN, CGRNNConfig
from cgrnn_train.models.rnn import RNN, RNNConfig
from cgrnn_train.models.rnn_rbm import RNNRBM, RNNRBMConfig
from cgrnn_train.models.rnn_ssrbm import RNNssRBM, RNNssRBMConfig
from cgrnn_train.models.srnn import SRNN, SRNNConfig
from cgrnn_train.models.storn import STORN, STORNConfig
from cgrnn_train.models.system import System
from cgrnn_train.models.vrnn import VRNN, VRNNConfig


@dataclass(frozen=True, slots=True)
class Architecture:
    """How a system is built.

    Attributes:
        config: the dataclass of its [model] table.
        model: the system, from such a dataclass.
        fixed: keys of [model] whose value the system's name settles.
    """

    config: type[Any]
    model: Callable[[Any], System]
    fixed: dict[str, Any] = field(default_factory=dict)


SYSTEMS: dict[str, Architecture] = {
    "rnn-1": Architecture(RNNConfig, RNN, {"layers": 1}),
    "rnn-2": Architecture(RNNConfig, RNN, {"layers": 2}),
    "storn": Architecture(STORNConfig, STORN),
    "vrnn": Architecture(VRNNConfig, VRNN),
    "srnn-s": Architecture(SRNNConfig, SRNN, {"inference": "smoothing", "residual": False}),
    "srnn-s-res": Architecture(SRNNConfig, SRNN, {"inference": "smoothing", "residual": True}),
    "srnn-f": Architecture(SRNNConfig, SRNN, {"inference": "filtering", "residual": False}),
    "rnn-rbm": Architecture(RNNRBMConfig, RNNRBM),
    "rnn-ssrbm": Architecture(RNNssRBMConfig, RNNssRBM),
    "cgrnn": Architecture(CGRNNConfig, CGRNN),
}
"""In the order of the paper's table."""


def build(system: str, config: Any) -> System:
    """A fresh model of ``system`` with the architecture ``config``."""
    return SYSTEMS[system].model(config)
