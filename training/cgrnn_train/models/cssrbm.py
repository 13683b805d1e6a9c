"""The binary conditional spike-and-slab RBM (C-ssRBM) of Liu, Xie and Wang, section 4.2, with its equations mended.

One frame v of V pitches, H spikes h in {0, 1} and H slabs s, given the recurrent state u, has the energy

    E(v, h, s | u) = ½ Σ αᵢ sᵢ² − Σ aᵢ sᵢ hᵢ − b̃_vᵀ v − b̃_hᵀ h + ½ Σ αᵢ μᵢ² hᵢ − Σ αᵢ μᵢ sᵢ hᵢ,     p ∝ exp(−E),

with aᵢ = Wᵢᵀ v, b̃_v = b_v + U₃ u and b̃_h = b_h + U₂ u. The paper prints exp(E) in (3) and forgets the ½ before αμ²
in (4). Everything else follows from E:

    ηᵢ = aᵢ² / 2αᵢ + μᵢ aᵢ + b̃_hᵢ                     p(hᵢ = 1 | v, u) = σ(ηᵢ)
    F(v | u) = −b̃_vᵀ v − ½ Σ log(2π / αᵢ) − Σ softplus(ηᵢ)
    p(sᵢ | v, h) = N(hᵢ (μᵢ + aᵢ / αᵢ), 1 / αᵢ)          p(vⱼ = 1 | s, h, u) = σ([W(s∘h) + b̃_v]ⱼ)

**Two parametrisations.** During training aᵢ is taken of the *centred* frame, aᵢ = Wᵢᵀ(v − c), which decouples the
gradient of W from that of the biases (Melchior, Fischer and Wiskott, "How to center deep Boltzmann machines", 2016).
It is the same family: `BinaryCSSRBM.slabs` and
`folded_hidden_bias` fold c into μ and b_h. Sampling uses *unit slabs*, W̃ = W/√α and m = √α μ: since
only y = W̃ᵀv + m enters, η = ½ y² + (b̃_h − ½ m²) and √α s = h y + ε with ε ~ N(0, 1), a sweep has no division and α
no longer appears.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgrnn_train.models.binary import BinaryFrames, Conditionals
from cgrnn_train.models.hidden_units import Slabs, UnitSlabs
from cgrnn_train.models.start import FrameStatistics


class BinaryCSSRBM(BinaryFrames):
    """A C-ssRBM over binary frames whose biases are modulated by a recurrent state.

    Args:
        visible: V, pitches in a frame.
        hidden: H, spikes (and as many slabs).
        state: size of the recurrent state u.
        slab_mean: initial μ.
        slab_precision: initial α: the larger, the closer to an ordinary RBM, whose η is linear in v.
        min_precision: lower bound of α, below its initial value: a cap on the slab's variance 1/α.
        modulates_visible: whether u enters b̃_v; if not, b̃_v = b_v as in the paper's RNN-ssRBM.
    """

    centre: Tensor

    def __init__(
        self,
        visible: int,
        hidden: int,
        state: int,
        *,
        slab_mean: float = 1.0,
        slab_precision: float = 1.0,
        min_precision: float = 0.1,
        modulates_visible: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.01 * torch.randn(visible, hidden))
        self.raw_precision = nn.Parameter(torch.full((hidden,), _inverse_softplus(slab_precision - min_precision)))
        self.slab_mean = nn.Parameter(torch.full((hidden,), slab_mean))
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.visible_modulation = nn.Linear(state, visible, bias=False) if modulates_visible else None  # U₃
        self.hidden_modulation = nn.Linear(state, hidden, bias=False)  # U₂
        self.register_buffer("centre", torch.zeros(visible))
        self.min_precision = min_precision

    @property
    def precision(self) -> Tensor:
        """α, (hidden,)."""
        return F.softplus(self.raw_precision) + self.min_precision

    def start_from(self, start: FrameStatistics) -> None:
        """Centre on, and set the visible bias to the logit of, the mean training frame."""
        with torch.no_grad():
            self.centre.copy_(start.mean)
            self.visible_bias.copy_(torch.logit(start.mean))

    def slabs(self) -> Slabs:
        """The uncentred W, α, μ; differentiable."""
        precision = self.precision
        return Slabs(self.weight, precision, self.slab_mean - self.centre @ self.weight / precision)

    def folded_hidden_bias(self) -> Tensor:
        """b_h of the uncentred parametrisation, (hidden,)."""
        shift = self.centre @ self.weight  # Wᵀc
        return self.hidden_bias + shift.square() / (2 * self.precision) - self.slab_mean * shift

    def head(self) -> UnitSlabs:
        """The C-ssRBM in unit slabs; differentiable."""
        return UnitSlabs.of(self.slabs())

    def hidden_scale(self) -> Tensor:
        """1/√α, (hidden,): a unit slab times this is s."""
        return self.precision.rsqrt()

    def conditionals(self, state: Tensor) -> Conditionals:
        """b̃_v (..., visible) and the uncentred b̃_h (..., hidden) for ``state`` (..., state)."""
        visible_bias = self.visible_bias.expand(*state.shape[:-1], -1)
        if self.visible_modulation is not None:
            visible_bias = visible_bias + self.visible_modulation(state)
        return Conditionals(visible_bias, self.folded_hidden_bias() + self.hidden_modulation(state))

    def slow_parameters(self) -> list[nn.Parameter]:
        """W and α."""
        return [self.weight, self.raw_precision]


def slab_constant(slabs: Slabs) -> Tensor:
    """½ Σ log(2π/αᵢ): what `cgrnn_train.models.head.free_energy` leaves out."""
    return 0.5 * torch.log(2 * torch.pi / slabs.precision).sum()


def _inverse_softplus(value: float) -> float:
    return float(torch.log(torch.expm1(torch.tensor(value, dtype=torch.float64))))
