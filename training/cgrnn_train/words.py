"""Numbers in words, as the results page has them: a true minus, the sign of an estimator, lengths of time."""

from __future__ import annotations

from cgrnn_train.published import Sign
from cgrnn_train.scores import Estimate, Likelihood, Rmse


def compared(ours: float, theirs: float) -> str:
    """The distance of two log-likelihoods in words, with a "than" or "to" that something may follow."""
    distance = f"{abs(ours - theirs):.2f}"
    if distance == "0.00":
        return "equal to"
    return f"{distance} nat {'better' if ours > theirs else 'worse'} than"


def between(interval: tuple[float, float]) -> str:
    """The interval of a difference: "+0.14 to +0.21"."""
    low, high = (f"{value:+.2f}".replace("-", "−") for value in interval)
    return f"{low} to {high}"


def duration(seconds: float) -> str:
    """A length of time at a glance: "45 s", "14 min", "2 h 05 min"."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def sign(kind: str) -> Sign:
    """On which side an estimator of that kind errs, by the words of `cgrnn_train.log_likelihood.estimator`."""
    if kind.startswith("exact"):
        return "="
    return "≥" if "errs low" in kind and "AIS" not in kind else "≈"


def signed(likelihood: Likelihood) -> str:
    """A likelihood after its sign: "≥ −7.02"."""
    return f"{sign(likelihood.kind)} {nats(likelihood.value)}"


def nats(value: float, decimals: int = 2) -> str:
    """A number with a true minus."""
    return f"{value:.{decimals}f}".replace("-", "−")


def as_published(value: float) -> str:
    """With as many decimals as it was published with: two, or three."""
    return nats(value, 2 if round(value, 2) == value else 3)


def percent(estimate: Estimate) -> str:
    """A share and its interval, in percent: "25.00 (23.00 to 27.00)"."""
    low, high = estimate.interval
    return f"{100 * estimate.value:.2f} ({100 * low:.2f} to {100 * high:.2f})"


def number(estimate: Estimate | Rmse) -> str:
    """A positive number and its interval: "0.50 (0.48 to 0.53)"."""
    low, high = estimate.interval
    return f"{estimate.value:.2f} ({low:.2f} to {high:.2f})"
