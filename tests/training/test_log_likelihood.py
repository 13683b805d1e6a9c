"""Scores: summaries of what was scored, and no more work than that takes."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from cgrnn_train.bootstrap import bootstrap_difference
from cgrnn_train.data.sequences import sequences
from cgrnn_train.frame_scores import FrameScores, Settings
from cgrnn_train.log_likelihood import estimator, log_likelihoods
from cgrnn_train.models.cgrnn import CGRNN
from cgrnn_train.models.rnn import RNN, RNNConfig
from cgrnn_train.systems import build


def test_the_interval_is_of_the_sequences_that_have_a_score():
    """Frames of sequences 3 and 900 only: resamples among all 901 would mostly hold no frame at all."""
    scores = torch.tensor([-1.0, -3.0])
    score = FrameScores(scores, torch.tensor([3, 900])).summary("exact")
    assert score.value == -2
    assert score.interval == (-3, -1)
    assert not math.isnan(sum(score.interval))


def test_the_interval_is_of_songs_where_sequences_are_segments_of_them():
    score = FrameScores(torch.tensor([-1.0, -3.0, -3.0, -1.0]), torch.tensor([0, 1, 2, 3]))
    assert score.summary("exact").interval == (-3, -1)
    assert score.summary("exact", np.array([0, 0, 1, 1])).interval == (-2, -2)


def test_a_summary_keeps_the_sum_and_the_frames_of_each_sequence_or_song():
    score = FrameScores(torch.tensor([-1.0, -3.0, -5.0, -1.0]), torch.tensor([0, 1, 1, 4]))
    assert (score.summary("exact").sums, score.summary("exact").lengths) == ((-1, -8, -1), (1, 2, 1))
    by_song = score.summary("exact", np.array([7, 3, 0, 0, 7]))
    assert (by_song.sums, by_song.lengths) == ((-8, -2), (2, 2))


def test_the_interval_of_a_difference_draws_the_same_sequences_for_both():
    """Sequences differ by 10 nats and the systems by 1 to 3 in each: the difference knows nothing of the 10."""
    owner = torch.arange(20)
    base = torch.linspace(-10, 0, 20)
    gain = torch.tensor([1.0, 3.0]).repeat(10)
    ours, theirs = (FrameScores(values, owner).summary("exact") for values in (base + gain, base))
    assert ours.interval[1] - ours.interval[0] > 2
    difference = bootstrap_difference(ours, theirs)
    assert difference is not None
    assert difference.value == pytest.approx(2)
    low, high = difference.interval
    assert 1.3 < low < 1.8 < 2.2 < high < 2.7


def test_there_is_no_difference_of_other_sequences_or_of_a_record_without_sums():
    ours = FrameScores(torch.zeros(4), torch.tensor([0, 0, 1, 1])).summary("exact")
    assert bootstrap_difference(ours, FrameScores(torch.zeros(4), torch.tensor([0, 1, 1, 1])).summary("exact")) is None
    older = dataclasses.replace(ours, sums=(), lengths=())
    assert bootstrap_difference(ours, older) is None
    assert bootstrap_difference(older, ours) is None
    assert bootstrap_difference(older, older) is None


@pytest.mark.parametrize("system", ["cgrnn", "rnn-1"])
def test_a_limit_runs_only_the_pieces_it_touches(data, small_run, system, monkeypatch):
    torch.manual_seed(0)
    model = build(small_run.system, small_run.model) if system == "cgrnn" else RNN(RNNConfig(state=4))
    kind = CGRNN if system == "cgrnn" else RNN
    pieces, ran = sequences(data, "train"), []
    forward = kind.forward
    monkeypatch.setattr(kind, "forward", lambda self, frames: ran.extend([1] * len(frames)) or forward(self, frames))
    some = log_likelihoods(model, pieces, Settings(5, 2), limit=3)
    assert len(some.log_likelihood) == 3
    assert len(ran) == len(some.sequence.unique()) < len(pieces)


def test_a_sampled_feed_is_followed_by_particles(data, small_run):
    torch.manual_seed(0)
    config = dataclasses.replace(small_run.model, feed="sampled")
    model, pieces = build("cgrnn", config), sequences(data, "test")[:2]
    one, several = Settings(20, 4), Settings(20, 4, samples=3)
    assert estimator(model, one).endswith("one sample of the latent path")
    assert estimator(model, several).startswith("particle filter, 3 particles (errs low)")
    assert isinstance(model, CGRNN)
    assert model.rbm.visible_modulation is not None
    with torch.no_grad():  # one feed matters: more particles say more of the next frame
        model.feed_weight.mul_(20)
        model.rbm.visible_modulation.weight.mul_(3)
    scores, alone, many = (log_likelihoods(model, pieces, Settings(20, 4, samples=count)) for count in (3, 1, 40))
    assert len(scores.log_likelihood) == sum(len(piece) for piece in pieces)
    first, second, third = (float(found.log_likelihood.sum()) for found in (alone, scores, many))
    assert first < second < third  # each a lower bound in expectation, and nats apart


def test_a_limit_scores_the_frames_that_it_says(data):
    torch.manual_seed(0)
    model, pieces = RNN(RNNConfig(state=4)), sequences(data, "train")
    everything = log_likelihoods(model, pieces)
    some = log_likelihoods(model, pieces, limit=40)
    for value, owner in zip(some.log_likelihood, some.sequence, strict=True):
        own = everything.log_likelihood[everything.sequence == owner]
        assert (own - value).abs().min() < 1e-9
