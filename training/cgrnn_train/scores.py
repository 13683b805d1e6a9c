"""What `evaluate` writes into a run folder and `table` reads: scores/SPLIT.json."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from cgrnn_train.files import write_json

FOLDER = "scores"

LARGEST_GAP, LARGEST_CHANGE, LARGEST_CHANCE, SMALLEST_SHARE = 0.02, 0.01, 0.005, 0.1
"""What an AIS figure must keep to, nats a frame: forward against reverse; ten times the temperatures; chance in these.
The share of the chains that count.
"""

Verdict = Literal["stands", "does not stand", "undecided"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over frames.

    Attributes:
        value: the mean.
        interval: 95 % bootstrap interval by sequence (by song, where a sequence is a segment of one), low and high.
    """

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """A log-likelihood, nats a frame, over all frames of all sequences, the first included.

    Attributes:
        value: mean over frames.
        interval: 95 % bootstrap interval by sequence, low and high.
        kind: of the estimator, in words.
        standard_error: of the mean that comes from estimating log Z; None where nothing is annealed.
        effective_share: mean share of the AIS chains that count, 0 to 1; None where nothing is annealed.
        sums: of each sequence (of each song, where the interval is by song), over its frames; with `lengths` what the
            interval of a difference of two systems needs. Empty in records older than it.
        lengths: how many frames each sequence or song has.
    """

    value: float
    interval: tuple[float, float]
    kind: str
    standard_error: float | None
    effective_share: float | None
    sums: tuple[float, ...] = ()
    lengths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """An AIS figure on some frames, beside other estimates of the same frames; all in nats a frame.

    Attributes:
        frames: how many, a random choice.
        log_likelihood: by AIS with the settings of the figure: errs high.
        reverse_log_likelihood: from the other side: errs low if its samples are the model's.
        more_temperatures_log_likelihood: by AIS with ten times the temperatures.
        raise_log_likelihood: by RAISE with as many temperatures: errs low on the model's own frames, and on others may
            err high where temperatures are few; None for sound.
        standard_error: of ``log_likelihood``, from the chains' chance; None in records older than it.
        reverse: how ``reverse_log_likelihood`` was estimated, in words.
    """

    frames: int
    log_likelihood: float
    reverse_log_likelihood: float
    more_temperatures_log_likelihood: float
    raise_log_likelihood: float | None = None
    standard_error: float | None = None
    reverse: str = "reverse AIS from 1,000 Gibbs sweeps from the base"

    @property
    def gap(self) -> float:
        """What forward and reverse AIS differ by."""
        return self.log_likelihood - self.reverse_log_likelihood

    @property
    def change(self) -> float:
        """What ten times the temperatures change."""
        return self.more_temperatures_log_likelihood - self.log_likelihood

    def verdict(self, bias: float, effective_share: float) -> Verdict:
        """Whether the figure can be believed; undecided where the check has more chance in it than it allows.

        Args:
            bias: what the chains themselves say that the figure errs by: half the variance of log Ẑ, nats a frame. It
                knows nothing of a mode that none of them found; ten times the temperatures may.
            effective_share: of the chains that count, 0 to 1.
        """
        chance = math.inf if self.standard_error is None else self.standard_error
        if bias >= LARGEST_CHANGE or effective_share <= SMALLEST_SHARE:
            return "does not stand"
        if abs(self.gap) - 2 * chance >= LARGEST_GAP or abs(self.change) - 2 * chance >= LARGEST_CHANGE:
            return "does not stand"
        if chance > LARGEST_CHANCE:
            return "undecided"
        return "stands" if abs(self.gap) < LARGEST_GAP and abs(self.change) < LARGEST_CHANGE else "does not stand"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Frame accuracy TP / (TP + FP + FN) under one protocol, 0 to 1, pitches taken as on above probability ½.

    Attributes:
        per_frame: mean over frames; a frame that is silent and predicted silent counts as 0 (the paper's mean).
        pooled: ΣTP / Σ(TP + FP + FN).
    """

    per_frame: Estimate
    pooled: Estimate


@dataclass(frozen=True, slots=True)
class Rmse:
    """Root mean square error of frames of sound under one protocol: `cgrnn_train.rmse`, in normalised samples.

    Attributes:
        value: √(mean over frames of the sum of a frame's squared errors).
        interval: 95 % bootstrap interval by sequence (by song, where a sequence is a part of one), low and high.
        sums: of squared errors of each sequence or song; with `lengths` what the interval of a ratio of two systems
            needs.
        lengths: how many frames each sequence or song has.
    """

    value: float
    interval: tuple[float, float]
    sums: tuple[float, ...]
    lengths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """One run on one split.

    Attributes:
        system: as in `cgrnn_train.systems.SYSTEMS`.
        source: the data set's own name for its source.
        split: train, valid or test.
        frames: how many were scored.
        weights: SHA-256 of the weights' file.
        data: digest of the data set (`DataSet.digest`).
        log_likelihood: the headline.
        trained_bound: the bound that was trained where `log_likelihood` is a tighter one.
        check: of `log_likelihood` if that is by AIS and a check was asked for.
        prediction: accuracy from the past only; for sound the RMSE.
        reconstruction: the same after having seen the frame; None for a system without latent variables.
        command: the command line that made this.
        seconds: that it took, or its last part if it was stopped.
    """

    system: str
    source: str
    split: str
    frames: int
    weights: str
    data: str
    log_likelihood: Likelihood
    trained_bound: Likelihood | None
    check: Check | None
    prediction: Accuracy | Rmse
    reconstruction: Accuracy | Rmse | None
    command: str
    seconds: float

    @property
    def verdict(self) -> Verdict | None:
        """Of the check; None without one."""
        error, share = self.log_likelihood.standard_error, self.log_likelihood.effective_share
        if self.check is None or error is None or share is None:
            return None
        return self.check.verdict(error**2 * self.frames / 2, share)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def write_scores(run: Path, scores: Scores) -> Path:
    """Write RUN/scores/SPLIT.json; returns its path."""
    path = run / FOLDER / f"{scores.split}.json"
    path.parent.mkdir(exist_ok=True)
    write_json(path, scores.to_dict())
    return path


def read_scores(run: Path, split: str) -> Scores:
    """Read what `write_scores` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else; the message names the file.
    """
    path = run / FOLDER / f"{split}.json"
    try:
        return _read(Scores, json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is not a score of 'cgrnn-train evaluate' ({error!r}); score the run again") from None


def _read(kind: Any, value: Any) -> Any:
    """``value``, parsed JSON, as ``kind``: a dataclass, a tuple of numbers, a number, a text or None.

    Of several dataclasses it is the one that has all of its keys. Raises TypeError on anything else, and on a missing
    key that has no default.
    """
    if get_origin(kind) is UnionType:
        kinds = get_args(kind)
        if value is None and NoneType in kinds:
            return None
        fitting = [one for one in kinds if dataclasses.is_dataclass(one) and _has_keys(one, value)]
        return _read((fitting or kinds)[0], value)
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        if not isinstance(value, dict) or value.keys() - hints.keys():
            raise TypeError(f"found {value!r}; expected the keys {', '.join(hints)}")
        return cast(Any, kind)(**{name: _read(hints[name], part) for name, part in value.items()})
    if get_origin(kind) is tuple:
        hints = get_args(kind)
        if hints[-1] is Ellipsis and isinstance(value, list):
            hints = hints[:1] * len(value)
        if not isinstance(value, list) or len(value) != len(hints):
            raise TypeError(f"found {value!r}; expected {len(hints)} numbers")
        return tuple(_read(hint, item) for hint, item in zip(hints, value, strict=True))
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"found {value!r}; expected a {kind.__name__}")
    return value


def _has_keys(kind: Any, value: Any) -> bool:
    """Whether ``value``, parsed JSON, is a table all of whose keys are fields of the dataclass ``kind``."""
    return isinstance(value, dict) and bool(value) and value.keys() <= get_type_hints(kind).keys()
