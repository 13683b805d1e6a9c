"""Figures that others published, as data: what `cgrnn_train.table` prints beside ours.

Log-likelihoods are of test sets, in nats a frame, higher is better. A figure stands for little without the kind of its
estimator: annealed importance sampling errs high, a bound errs low.

Two kinds of figures are left out: frame accuracies on the four polyphonic sets, which no source at hand confirms, and
likelihoods that mean something else (SRNN's: a finer grid and other frame counts; means over sequences).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

JSB, NOTTINGHAM, MUSEDATA, PIANO_MIDI = "JSB Chorales", "Nottingham", "MuseData", "Piano-midi"
POLYPHONIC = (JSB, NOTTINGHAM, MUSEDATA, PIANO_MIDI)
"""The four sets of Boulanger-Lewandowski, Bengio and Vincent, "Modeling temporal dependencies in high-dimensional
sequences", ICML 2012, in their standard splits."""

Sign = Literal["=", "≥", "≈"]
"""How a printed figure relates to the true one: the figure itself, a lower bound of it, an estimate of it."""


@dataclass(frozen=True, slots=True)
class Published:
    """One row of figures on the polyphonic sets.

    Attributes:
        name: of the model, as it is known.
        source: who published it, and when.
        kind: of the estimator, in words.
        sign: how the figures relate to the true ones.
        log_likelihood: by data set, where there is a figure.
        also: a second figure for the same model, by data set.
        also_is: what that is, in words.
        ours: our system of the same kind, as in `cgrnn_train.systems.SYSTEMS`; None if there is none.
    """

    name: str
    source: str
    kind: str
    sign: Sign
    log_likelihood: dict[str, float]
    also: dict[str, float] = field(default_factory=dict)
    also_is: str = ""
    ours: str | None = None


def _by_set(*values: float) -> dict[str, float]:
    return dict(zip(POLYPHONIC, values, strict=False))


_FIRST = "Boulanger-Lewandowski et al. 2012"
_RRU = "Zakovskis et al. 2021"
_TCN = "Bai et al. 2018"
_NOT_COMPARABLE = "exact, but not of the first frame: not comparable"

PUBLISHED: tuple[Published, ...] = (
    Published("RNN", _FIRST, "exact", "=", _by_set(-8.71, -4.46, -8.13, -8.37), ours="rnn-1"),
    Published("RTRBM", _FIRST, "kind of estimator not checked", "≈", _by_set(-6.35, -2.62, -6.35, -7.36)),
    Published("RNN-RBM", _FIRST, "AIS (errs high)", "≈", _by_set(-6.27, -2.39, -6.01, -7.09), ours="rnn-rbm"),
    Published(
        "RNN-NADE (HF)",
        _FIRST,
        "exact",
        "=",
        _by_set(-5.56, -2.31, -5.60, -7.05),
        also={JSB: -5.19},
        also_is="as later quoted",
    ),
    Published("STORN", "Bayer and Osendorfer 2014", "estimate", "≈", _by_set(-6.91, -2.85, -6.16, -7.13), ours="storn"),
    Published(
        "NASMC",
        "Gu et al. 2015",
        "estimate by sequential Monte Carlo",
        "≈",
        _by_set(-3.99, -2.72, -6.89, -7.61),
    ),
    Published(
        "DMM-Aug-NADE",
        "Krishnan et al. 2017",
        "importance sampling",
        "≥",
        _by_set(-5.12, -2.305, -6.05, -7.05),
        also=_by_set(-5.34, -2.347, -6.12, -7.10),
        also_is="the bound",
    ),
    Published("LSTM", _TCN, _NOT_COMPARABLE, "=", _by_set(-8.45, -3.29)),
    Published("GRU", _TCN, _NOT_COMPARABLE, "=", _by_set(-8.43, -3.46)),
    Published("TCN", _TCN, _NOT_COMPARABLE, "=", _by_set(-8.10, -3.07)),
    Published("GRU (beside RRU)", _RRU, "exact", "=", _by_set(-8.20, -3.22, -7.31, -7.58)),
    Published("RRU", _RRU, "exact", "=", _by_set(-7.72, -2.92, -7.03, -7.38)),
)

TO_BEAT: dict[str, float] = _by_set(-5.19, -2.31, -5.60, -7.05)
"""The best exact figures on the standard data, all of RNN-NADE (HF); what is above them is a bound or an estimate."""

RNN_RBM: dict[str, float] = next(row for row in PUBLISHED if row.name == "RNN-RBM").log_likelihood

Protocol = Literal["prediction", "reconstruction"]


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One row of the Lakh columns of Table 1: Liu, Xie and Wang, "Energy-based recurrent model for stochastic modeling
    of music".

    Attributes:
        system: ours, as in `cgrnn_train.systems.SYSTEMS`.
        name: the paper's.
        sign: the paper's.
        log_likelihood: nats a frame.
        kind: what the log-likelihood really is, as read in the authors' public code.
        accuracy: of frames, percent, the mean over frames with silent ones scored 0.
        protocol: what the accuracy is of, as read there.
    """

    system: str
    name: str
    sign: Sign
    log_likelihood: float
    kind: str
    accuracy: float
    protocol: Protocol


_WEIGHTED = "not a bound: KL weighted 128/500"
_FAULTY_AIS = "AIS with faults that bias it up"

TABLE_1: tuple[PaperRow, ...] = (
    PaperRow("rnn-1", "RNN-I", "=", -6.82, "exact", 40.43, "prediction"),
    PaperRow("rnn-2", "RNN-II", "=", -14.12, "exact", 8.98, "prediction"),
    PaperRow("storn", "STORN", "≥", -7.06, "not a bound: KL mis-scaled", 39.58, "prediction"),
    PaperRow("vrnn", "VRNN", "≥", -3.53, _WEIGHTED, 81.83, "reconstruction"),
    PaperRow("srnn-s", "SRNN-s", "≥", -3.41, _WEIGHTED, 79.01, "reconstruction"),
    PaperRow("srnn-s-res", "SRNN-s+res", "≥", -4.72, _WEIGHTED, 63.85, "reconstruction"),
    PaperRow("srnn-f", "SRNN-f", "≥", -3.29, _WEIGHTED, 81.37, "reconstruction"),
    PaperRow("rnn-rbm", "RNN-RBM", "≈", -6.09, _FAULTY_AIS, 60.83, "reconstruction"),
    PaperRow("rnn-ssrbm", "RNN-ssRBM", "≈", -5.76, _FAULTY_AIS, 86.28, "reconstruction"),
    PaperRow("cgrnn", "CGRNN", "≥", -2.70, "AIS or NVIL, both with faults", 87.88, "reconstruction"),
)
"""In the paper's order."""


@dataclass(frozen=True, slots=True)
class PaperSoundRow:
    """One row of the Audio Effects columns of Table 1, of IDMT-SMT-Audio-Effects, in the same paper.

    Attributes:
        system: ours, as in `cgrnn_train.systems.SYSTEMS`.
        name: the paper's.
        log_likelihood: nats a frame of normalised samples, with the paper's own sign before it; None where our copy of
            the paper does not show it.
        kind: what the log-likelihood really is, as read in the authors' public code.
        rmse: of frames, in normalised samples.
        protocol: what the RMSE is of, as read there.
    """

    system: str
    name: str
    log_likelihood: tuple[Sign, float] | None
    kind: str
    rmse: float
    protocol: Protocol


_WEIGHTED_SOUND = "not a bound: KL weighted 0.30"
_FAULTY_NVIL = "NVIL with faults: not a bound"

TABLE_1_SOUND: tuple[PaperSoundRow, ...] = (
    PaperSoundRow("rnn-1", "RNN-I", ("=", 308.72), "exact", 5.14, "prediction"),
    PaperSoundRow("rnn-2", "RNN-II", ("=", 298.85), "exact", 4.85, "prediction"),
    PaperSoundRow("storn", "STORN", None, "not a bound: KL mis-scaled", 5.61, "prediction"),
    PaperSoundRow("vrnn", "VRNN", None, _WEIGHTED_SOUND, 1.80, "reconstruction"),
    PaperSoundRow("srnn-s", "SRNN-s", None, _WEIGHTED_SOUND, 4.16, "reconstruction"),
    PaperSoundRow("srnn-s-res", "SRNN-s+res", None, _WEIGHTED_SOUND, 4.08, "reconstruction"),
    PaperSoundRow("srnn-f", "SRNN-f", None, _WEIGHTED_SOUND, 2.29, "reconstruction"),
    PaperSoundRow("rnn-rbm", "RNN-RBM", ("≈", -141.8), _FAULTY_AIS, 3.27, "reconstruction"),
    PaperSoundRow("rnn-ssrbm", "RNN-ssRBM", ("≥", 310.42), _FAULTY_NVIL, 1.71, "reconstruction"),
    PaperSoundRow("cgrnn", "CGRNN", ("≥", 503.80), _FAULTY_NVIL, 0.50, "reconstruction"),
)
"""In the paper's order."""

CLAIMED_BESIDE = ("rnn-ssrbm", "vrnn")
"""The systems beside which the paper sets its CGRNN's RMSE: 1.71 and 1.80 became 0.50."""

NAMES: dict[str, str] = {row.system: row.name for row in TABLE_1}
"""The paper's name of each of our systems, in the paper's order."""
