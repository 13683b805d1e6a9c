"""What the results page sets side by side: published figures and ours, the paper's and ours, one of our systems and
another.
"""

from __future__ import annotations

from collections.abc import Iterable

from cgrnn_train.bootstrap import bootstrap_difference
from cgrnn_train.published import (
    CLAIMED_BESIDE,
    RNN_RBM,
    TABLE_1_SOUND,
    TO_BEAT,
    PaperRow,
    PaperSoundRow,
    Protocol,
    Published,
)
from cgrnn_train.results import Result
from cgrnn_train.rmse import rmse_ratio
from cgrnn_train.scores import Accuracy, Rmse, Scores, Verdict
from cgrnn_train.words import as_published, between, compared, nats, number, percent, signed

NONE = "–"
WITH_RBM = ("rnn-rbm", "rnn-ssrbm")
"""The systems, beside CGRNN, that hold an RBM."""
PROTOCOL_NAMES: tuple[Protocol, Protocol] = ("prediction", "reconstruction")
DOUBTS: dict[Verdict, str] = {
    "stands": "",
    "does not stand": ", which does not stand",
    "undecided": ", which is undecided",
}


def published_rows(row: Published, title: str, results: list[Result]) -> Iterable[list[str]]:
    """One published row, once for each scored run of ours of the same system."""
    figure = row.log_likelihood[title]
    text, kind = f"{row.sign} {as_published(figure)}", row.kind
    if title in row.also:
        text, kind = f"{text} ({as_published(row.also[title])})", f"{kind}; in parentheses {row.also_is}"
    left = [f"{row.name} ({row.source})", text, kind]
    ours = scored(results, row.ours)
    for result, scores in ours:
        value = scores.log_likelihood
        difference = f"{value.value - figure:+.2f}".replace("-", "−")
        yield [*left, result.title, f"`{result.run}`", signed(value), difference]
    if not ours:
        yield [*left, *[NONE] * 4]


def paper_rows(row: PaperRow | PaperSoundRow, results: list[Result]) -> Iterable[list[str]]:
    """One row of the paper, once for each run of ours; CGRNN's other modes have no row there."""
    if isinstance(row, PaperRow):
        paper = [f"{row.sign} {nats(row.log_likelihood)}", row.kind, f"{row.accuracy:.2f}", row.protocol]
    else:
        likelihood = "not legible in our copy"
        if row.log_likelihood is not None:
            likelihood = f"{row.log_likelihood[0]} {nats(row.log_likelihood[1])}"
        paper = [likelihood, row.kind, f"{row.rmse:.2f}", row.protocol]
    ours = scored(results, row.system)
    for result, scores in ours:
        yield [
            *(result.title, *(paper if result.title == row.name else [NONE] * 4)),
            *(f"`{result.run}`", signed(scores.log_likelihood)),
            *cells(scores.reconstruction, 1),
            *cells(scores.prediction, 1),
        ]
    if all(result.title != row.name for result, _ in ours):
        yield [row.name, *paper, *[NONE] * 4]


def distances(result: Result, scores: Scores, title: str, results: list[Result]) -> Iterable[str]:
    """How far a CGRNN is from our other systems with an RBM, the best of those without one, RNN-RBM's published figure
    and the one to beat.
    """
    ours = scores.log_likelihood
    others = [found for system in WITH_RBM for found in scored(results, system)]
    without = [
        (row, row.scores) for row in results if row.scores and row.system not in (*WITH_RBM, result.system, None)
    ]
    if without:
        others.append(max(without, key=lambda found: found[1].log_likelihood.value))
    parts = [
        f"{compared(ours.value, other.log_likelihood.value)} our {row.title} `{row.run}`{_difference(scores, other)}"
        for row, other in others
    ]
    for figures, name in [
        (RNN_RBM, "RNN-RBM's published ≈ {} (AIS)"),
        (TO_BEAT, "the figure to beat, = {} (RNN-NADE)"),
    ]:
        if title in figures:
            figure = figures[title]
            inside = ours.interval[0] <= figure <= ours.interval[1]
            parts.append(
                f"{compared(ours.value, figure)} {name.format(nats(figure))}, "
                f"which is {'inside' if inside else 'outside'} its 95 % interval"
            )
    doubt = DOUBTS[scores.verdict] if scores.verdict else ""
    if parts:
        yield f"- {result.title} `{result.run}`, {signed(ours)}{doubt}: {'; '.join(parts)}."


def _difference(ours: Scores, theirs: Scores) -> str:
    """The interval of ``ours`` minus ``theirs``, in parentheses; nothing where the records cannot tell it."""
    if ours.data != theirs.data:
        return ""
    difference = bootstrap_difference(ours.log_likelihood, theirs.log_likelihood)
    return f" ({between(difference.interval)})" if difference else ""


def ratios(result: Result, scores: Scores, results: list[Result]) -> Iterable[str]:
    """The RMSE of a CGRNN over sound as a share of that of the systems beside which the paper sets its own."""
    rmse = {row.system: row.rmse for row in TABLE_1_SOUND}
    for system in CLAIMED_BESIDE:
        for row, other in scored(results, system):
            shares = [
                f"{name} {share}"
                for name in PROTOCOL_NAMES
                if (share := _share(getattr(scores, name), getattr(other, name), scores.data == other.data))
            ]
            if shares:
                claim = f"{rmse['cgrnn']:.2f} / {rmse[system]:.2f} = {rmse['cgrnn'] / rmse[system]:.2f}"
                yield (
                    f"- RMSE of {result.title} `{result.run}` over that of our {row.title} `{row.run}`: "
                    f"{', '.join(shares)}; the paper's, of reconstruction: {claim}."
                )


def _share(ours: Accuracy | Rmse | None, theirs: Accuracy | Rmse | None, is_of_one_set: bool) -> str:
    """Our RMSE over theirs with its interval; nothing where they are not of the same frames."""
    if not (isinstance(ours, Rmse) and isinstance(theirs, Rmse) and is_of_one_set):
        return ""
    ratio = rmse_ratio(ours, theirs)
    return number(ratio) if ratio else ""


def scored(results: list[Result], system: str | None) -> list[tuple[Result, Scores]]:
    """The runs of ``system`` that have scores, and those."""
    return [(result, result.scores) for result in results if result.system == system and result.scores]


def cells(score: Accuracy | Rmse | None, count: int) -> list[str]:
    """An RMSE, or the first ``count`` of an accuracy's two means, per frame and pooled; each with its interval."""
    if score is None:
        return [NONE] * count
    if isinstance(score, Rmse):
        return [number(score)]
    return [percent(score.per_frame), percent(score.pooled)][:count]
