"""The results page: one Markdown file made from run folders, where no number is typed.

Sections are data sets, rows the systems of the paper's Table 1 in its order. Below each of the four polyphonic sets
stand published figures with the kind of their estimator, below Lakh and below sound the paper's own. The same runs make
the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from pathlib import Path

from cgrnn_train.beside import NONE, PROTOCOL_NAMES, cells, distances, paper_rows, published_rows, ratios, scored
from cgrnn_train.files import write_whole
from cgrnn_train.published import POLYPHONIC, PUBLISHED, TABLE_1, TABLE_1_SOUND, TO_BEAT
from cgrnn_train.results import FitRecord, Result, read_result, run_name
from cgrnn_train.run import RunError
from cgrnn_train.scores import (
    LARGEST_CHANCE,
    LARGEST_CHANGE,
    LARGEST_GAP,
    SMALLEST_SHARE,
    Check,
    Likelihood,
)
from cgrnn_train.words import duration, nats, signed

UNKNOWN = "Data set unknown"
LAKH = "lakh clean_midi"
IDMT = "idmt-smt-audio-effects"

LEGEND = f"""\
LL is the mean log-likelihood of all frames of all sequences, the first included, in nats a frame; higher is better. Its
sign says on which side it errs: `=` is exact, `≥` a lower bound, `≈` an estimate (AIS errs high). Figures of different
signs are not strictly comparable, so none is in bold. ACC is frame accuracy TP / (TP + FP + FN) in percent:
*prediction* from the frames before, *reconstruction* after having seen the frame itself; *per frame* is the mean over
frames with silent ones scored 0 (the paper's), *pooled* is ΣTP / Σ(TP + FP + FN). Systems with an RBM predict by the
marginals that the chains behind their LL give; SRNN-s and SRNN-s+res reconstruct from the later frames too. In
parentheses and in the column "95 %" stand bootstrap intervals by sequence (on Lakh by song, for its sequences are
minutes of songs); after a difference of two of our systems stands the interval of that difference, the same sequences
drawn for both. Each row is one training run, and they say nothing of another seed.

*Visited frames summed*: the frames that AIS's chains visited are summed exactly, and AIS answers for the rest. An AIS
figure *stands* if on some frames an estimate that errs low (from samples which the row names, a heuristic) is within
{LARGEST_GAP} nat of it and ten times the temperatures change it by less than {LARGEST_CHANGE}, if half the variance of
its chains, by which it errs, is less than {LARGEST_CHANGE} too, and if more than {100 * SMALLEST_SHARE:.0f} % of them
count; it is *undecided* if there is more than {LARGEST_CHANCE} of chance in that check. A mode that none of the chains
found is in neither side. RAISE errs low on a model's own frames and may err either way on others.

*Transposed by ±N*: in training each sequence was, at random, by up to N semitones."""

PROTOCOLS = """\
*Prediction* is what a system says of a frame from the frames before it, and *reconstruction* is what it says after it
has seen that very frame. The paper's Table 1 has prediction for RNN-I, RNN-II and STORN and reconstruction for all
others, in one column. So its 87.88 (CGRNN, reconstruction) and 40.43 (RNN-I, prediction) answer different questions and
cannot be compared; only figures within one of our two columns can."""

SOUND_LEGEND = """\
These frames are sound, each some successive audio samples, normalised by the mean and the standard deviation of the
training set. LL is the logarithm of a density and may be above 0. RMSE is the root of the mean over frames of the sum
of a frame's squared errors, in normalised samples; lower is better, and to say 0, the mean sample, throughout costs
about the root of the samples in a frame (12.2 for 150)."""

SOUND_PROTOCOLS = """\
*Prediction* is the mean of what a system expects of a frame after the frames before it, and *reconstruction* is its
mean after it has seen that very frame. The paper's RMSE is of prediction for RNN-I, RNN-II and STORN and of
reconstruction for all others, in one column. So its 0.50 (CGRNN, reconstruction) and 5.14 (RNN-I, prediction) answer
different questions and cannot be compared; only figures within one of our two columns can."""

FIGURE_TO_BEAT = """\
The *figure to beat* is the best exact one that was published for this set; the table above may hold a higher bound or
estimate."""


def write_table(runs: Sequence[Path], out: Path, split: str = "test") -> None:
    """Write the results page of ``runs`` to ``out``.

    Args:
        runs: run folders, in any order.
        out: the Markdown file; replaced if it is there.
        split: train, valid or test: whose scores to show.

    Raises:
        RunError: no run is given, or one is no run, is unfinished or holds a file that cannot be read.
    """
    page = render(runs, out, split)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, page.encode())


def render(runs: Sequence[Path], out: Path, split: str) -> str:
    """The page that `write_table` writes; raises as it does."""
    if not runs:
        raise RunError("found no run to tabulate; name one run folder at least")
    results = sorted((read_result(run, split) for run in dict.fromkeys(runs)), key=_place)
    names = sorted(result.run for result in results)
    if twice := [name for name, next_name in pairwise(names) if name == next_name]:
        raise RunError(f"found two runs in folders that both end in {twice[0]}; rename one")
    command = " ".join(["cgrnn-train table", *names, run_name(out)]) + _split_option(split)
    parts = [
        "<!-- Generated by `cgrnn-train table`: do not edit. -->",
        "# Results",
        f"Generated by `cgrnn-train table` from {len(results)} run folders, {split} split; no number here was typed. "
        "The whole command is at the end. Folders are named by the last two parts of their paths.",
        LEGEND,
    ]
    for title, group in groupby(results, _data_set):
        parts += _section(title, list(group), split)
    return "\n\n".join([*parts, "## Command", f"```console\n$ {command}\n```"]) + "\n"


def _data_set(result: Result) -> str:
    """The title of a run's section: the usual name of a polyphonic set, the source's own words for another."""
    if result.source is None:
        return UNKNOWN
    start = result.source.replace("_", " ").casefold()
    known = (name for name in POLYPHONIC if start.startswith((name.casefold(), name.casefold().replace("-", " "))))
    return next(known, result.source[:1].upper() + result.source[1:])


def _place(result: Result) -> tuple[int, str, tuple[int, int], str]:
    """Where a run stands on the page."""
    title = _data_set(result)
    if title in POLYPHONIC:
        section = POLYPHONIC.index(title)
    else:
        others = 0 if LAKH in title.casefold() else 3 if title == UNKNOWN else 2 if result.is_of_sound else 1
        section = len(POLYPHONIC) + others
    return section, title, result.order, result.run


def _section(title: str, results: list[Result], split: str) -> Iterable[str]:
    frames = max((result.scores.frames for result in results if result.scores), default=0)
    yield f"## {title}"
    if frames:
        yield f"{frames:,} frames."
    is_of_sound = any(result.is_of_sound for result in results)
    figures = [f"{protocol} ACC, {mean}" for protocol in PROTOCOL_NAMES for mean in ("per frame", "pooled")]
    if is_of_sound:
        yield SOUND_LEGEND
        figures = [f"{protocol} RMSE" for protocol in PROTOCOL_NAMES]
    head = ["system", "run", "LL", "95 %", "estimator", *figures, "parameters", "training"]
    yield _table(head, (_row(result, frames, len(figures), split) for result in results))
    if title in POLYPHONIC:
        yield "Published figures beside ours:"
        yield _table(
            ["published", "LL", "estimator", "ours", "run", "LL", "ours − published"],
            (line for row in PUBLISHED if title in row.log_likelihood for line in published_rows(row, title, results)),
        )
    elif LAKH in title.casefold():
        yield f"The paper's figures are from a split of its own of Lakh clean_midi; ours are on {results[0].source}:"
        head = ["system", "paper's LL, with its own sign", "which is", "paper's ACC", "which is", "run", "our LL"]
        head += ["our reconstruction ACC, per frame", "our prediction ACC, per frame"]
        yield _table(head, (line for row in TABLE_1 for line in paper_rows(row, results)))
        yield PROTOCOLS
    elif is_of_sound and results[0].source:
        yield _whose(results[0].source)
        head = ["system", "paper's LL, with its own sign", "which is", "paper's RMSE", "which is", "run", "our LL"]
        head += ["our reconstruction RMSE", "our prediction RMSE"]
        yield _table(head, (line for row in TABLE_1_SOUND for line in paper_rows(row, results)))
        yield SOUND_PROTOCOLS
    ours = scored(results, "cgrnn")
    lines = [line for pair in ours for line in distances(*pair, title, results)]
    lines += [line for pair in ours for line in ratios(*pair, results)]
    if lines:
        yield "\n".join(lines)
        if title in TO_BEAT:
            yield FIGURE_TO_BEAT
    if made := [result for result in results if result.commands]:
        yield "How each was made:"
        yield "\n".join(f"- `{result.run}`: {'; '.join(map(_code, result.commands))}" for result in made)


def _whose(source: str) -> str:
    """Which sounds the paper's figures are of, and which ours."""
    if source.casefold().removeprefix("part of ").startswith(IDMT):
        return f"The paper's figures are from a split of its own of IDMT-SMT-Audio-Effects; ours are on {source}:"
    return (
        f"The paper's figures are of IDMT-SMT-Audio-Effects. Ours are of a stand-in, {source}, and never of IDMT's "
        "sounds: no figure of one can be compared with one of the other, at most the ratios of two."
    )


def _row(result: Result, frames: int, figures: int, split: str) -> list[str]:
    """The row of a run; ``frames`` is the most that any was scored on, ``figures`` how many its two protocols take."""
    fit, scores = result.fit, result.scores
    last = [f"{fit.parameters:,}", _training(fit, result.transpose)] if fit else [NONE, "unfinished"]
    if scores is None:
        missing = f"not scored: run `cgrnn-train evaluate {result.run}{_split_option(split)}`"
        return [result.title, f"`{result.run}`", missing, *[NONE] * (figures + 2), *last]
    likelihood = scores.log_likelihood
    low, high = likelihood.interval
    estimator = _estimator(likelihood)
    if scores.trained_bound:
        estimator += f"; the bound that was trained: {signed(scores.trained_bound)}"
    if scores.check:
        estimator += f"; {_check(scores.check)}: {scores.verdict}"
    if result.is_foreign:
        estimator += "; on another data set than it was trained on"
    if scores.frames < frames:
        estimator += f"; {scores.frames:,} of the frames only"
    return [
        *(result.title, f"`{result.run}`", signed(likelihood), f"{nats(low)} to {nats(high)}", estimator),
        *cells(scores.prediction, figures // 2),
        *cells(scores.reconstruction, figures // 2),
        *last,
    ]


def _check(check: Check) -> str:
    raised = check.raise_log_likelihood
    below = "" if raised is None else f", RAISE {raised - check.log_likelihood:+.3f}"
    chance = "" if check.standard_error is None else f" (by chance ±{check.standard_error:.3f})"
    return (
        f"on {check.frames:,} frames{chance} {check.reverse} {-check.gap:+.3f}, "
        f"10 times the temperatures {check.change:+.3f}{below}"
    ).replace("-", "−")


def _training(fit: FitRecord, transpose: int) -> str:
    took = "unknown time" if fit.training_seconds is None else duration(fit.training_seconds)
    epochs = " + ".join("?" if stage is None else str(stage) for stage in fit.epochs)
    transposed = f", transposed by ±{transpose}" if transpose else ""
    return f"{took}, {epochs} epochs{transposed}, {fit.device}"


def _estimator(likelihood: Likelihood) -> str:
    if likelihood.standard_error is None or likelihood.effective_share is None:
        return likelihood.kind
    effective = f"effective chains {100 * likelihood.effective_share:.0f} %"
    return f"{likelihood.kind}; standard error {likelihood.standard_error:.4f}, {effective}"


def _split_option(split: str) -> str:
    return "" if split == "test" else f" --split {split}"


def _code(text: str) -> str:
    return f"`{text}`" if "`" not in text else f"`` {text} ``"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = (" | ".join(cell.replace("|", r"\|") for cell in line) for line in [head, ["---"] * len(head), *rows])
    return "\n".join(f"| {line} |" for line in lines)
