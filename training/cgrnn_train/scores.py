"""What `evaluate` writes into a run folder and `table` reads: scores/SPLIT.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FOLDER = "scores"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over frames.

    Attributes:
        value: the mean.
        interval: 95 % bootstrap interval by sequence, low and high.
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
        standard_error: of the mean that comes from estimating it (0 if exact).
        effective_sample_size: mean share of the AIS chains that count, 0 to 1 (1 where nothing is annealed).
    """

    value: float
    interval: tuple[float, float]
    kind: str
    standard_error: float
    effective_sample_size: float


@dataclass(frozen=True, slots=True)
class Check:
    """An AIS figure on some frames, beside other estimates of the same frames; all in nats a frame.

    Attributes:
        frames: how many, a random choice.
        log_likelihood: by AIS with the settings of the figure: errs high.
        reverse_log_likelihood: by reverse AIS with as many temperatures, from long Gibbs runs: errs low, a heuristic.
        more_temperatures_log_likelihood: by AIS with ten times the temperatures.
        raise_log_likelihood: by RAISE with as many temperatures: errs low.
    """

    frames: int
    log_likelihood: float
    reverse_log_likelihood: float
    more_temperatures_log_likelihood: float
    raise_log_likelihood: float

    @property
    def gap(self) -> float:
        """What forward and reverse AIS differ by."""
        return self.log_likelihood - self.reverse_log_likelihood

    @property
    def change(self) -> float:
        """What ten times the temperatures change."""
        return self.more_temperatures_log_likelihood - self.log_likelihood


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
class Scores:
    """One run on one split.

    Attributes:
        system: as in `cgrnn_train.systems.SYSTEMS`.
        source: the data set's own name for its source.
        split: train, valid or test.
        frames: how many were scored.
        log_likelihood: the headline.
        trained_bound: the bound that was trained where `log_likelihood` is a tighter one.
        check: of `log_likelihood` if that is by AIS and a check was asked for.
        prediction: accuracy from the past only.
        reconstruction: accuracy after having seen the frame; None for a system without latent variables.
        command: the command line that made this.
        seconds: that it took.
    """

    system: str
    source: str
    split: str
    frames: int
    log_likelihood: Likelihood
    trained_bound: Likelihood | None
    check: Check | None
    prediction: Accuracy
    reconstruction: Accuracy | None
    command: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def write_scores(run: Path, scores: Scores) -> Path:
    """Write RUN/scores/SPLIT.json, to a temporary file first; returns its path."""
    path = run / FOLDER / f"{scores.split}.json"
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(scores.to_dict(), indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def read_scores(run: Path, split: str) -> Scores:
    """Read what `write_scores` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else; the message names the file.
    """
    path = run / FOLDER / f"{split}.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        bound, check, reconstruction = (values.pop(key) for key in ("trained_bound", "check", "reconstruction"))
        return Scores(
            log_likelihood=_likelihood(values.pop("log_likelihood")),
            trained_bound=_likelihood(bound) if bound else None,
            check=Check(**check) if check else None,
            prediction=_accuracy(values.pop("prediction")),
            reconstruction=_accuracy(reconstruction) if reconstruction else None,
            **values,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is not a score of 'cgrnn-train evaluate' ({error!r}); score the run again") from None


def _likelihood(values: dict[str, Any]) -> Likelihood:
    return Likelihood(**{**values, "interval": tuple(values["interval"])})


def _accuracy(values: dict[str, Any]) -> Accuracy:
    estimates = {
        name: Estimate(values[name]["value"], tuple(values[name]["interval"])) for name in ("per_frame", "pooled")
    }
    return Accuracy(**estimates)
