"""The clamped conditional, which `accompany` rests on, against enumeration of the whole joint p(v | u).

The truth is p(v_free, v_K) / p(v_K), both sums over all 2^V frames of a CGRNN after some frames. Against it: the ratio
of free energies with K clamped, "one more" note, AIS with K clamped, and the frames that the instrument draws.
"""

import numpy as np
import pytest
import torch

from cgrnn_live.sampler import FREE, ON, Sampler
from cgrnn_train.export import model_arrays
from cgrnn_train.likelihood.completion import (
    independent_log_completion,
    independent_log_one_more,
    log_completion,
    log_one_more,
)
from cgrnn_train.likelihood.exact import all_frames, exact_log_probabilities
from cgrnn_train.models.cgrnn import CGRNN, CGRNNConfig
from cgrnn_train.models.conditional import each
from cgrnn_train.models.start import FrameStatistics

VISIBLE = 7
EXACT = 1e-9  # float64; what differs is the order of some hundred additions
KNOWN = [[], [2], [0, 5], [1, 3, 6], [0, 1, 2, 3, 4, 5]]

DRAWS, SWEEPS = 3_000, 40  # sweeps: far more than this model needs to forget its start


@pytest.fixture(scope="module")
def model() -> CGRNN:
    torch.manual_seed(3)
    model = CGRNN(CGRNNConfig(visible=VISIBLE, hidden=6, state=5, mlp=(4,)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.7 * torch.randn_like(parameter))
    model.rbm.start_from(FrameStatistics(torch.linspace(0.2, 0.6, VISIBLE)))
    return model.eval()


@pytest.fixture(scope="module")
def conditionals(model):
    """What u says after five frames, (biases,)."""
    past = (torch.rand(1, 6, VISIBLE, generator=torch.Generator().manual_seed(1)) < 0.4).float()
    with torch.no_grad():
        return each(model(past), lambda tensor: tensor[0, 5])


@pytest.fixture(scope="module")
def joint(model, conditionals):
    """log p(v | u) of every frame, (2^visible,)."""
    with torch.no_grad():
        return exact_log_probabilities(model.rbm.head(), *conditionals)


def row_of(known):
    row = torch.zeros(VISIBLE)
    row[known] = 1
    return row


def agrees(known):
    """Which of all frames have every known pitch on, (2^visible,)."""
    return (all_frames(VISIBLE)[:, known] == 1).all(1)


@pytest.mark.parametrize("known", KNOWN)
def test_the_ratio_of_free_energies_is_the_conditional_of_the_joint(model, conditionals, joint, known):
    possible = agrees(known)
    truth = joint[possible] - torch.logsumexp(joint[possible], 0)  # log p(v_free, v_K) − log p(v_K)
    with torch.no_grad():
        energy = model.rbm.free_energy(all_frames(VISIBLE)[possible], conditionals)
    assert torch.log_softmax(-energy, 0).tolist() == pytest.approx(truth.tolist(), abs=EXACT)


@pytest.mark.parametrize("known", KNOWN)
def test_one_more_note_is_the_conditional_of_the_joint(model, conditionals, joint, known):
    possible = agrees(known) & (all_frames(VISIBLE).sum(1) == len(known) + 1)
    log_sum = torch.logsumexp(joint[possible], 0)
    truth = torch.full((VISIBLE,), -torch.inf, dtype=torch.float64)
    for frame, log_p in zip(all_frames(VISIBLE)[possible], joint[possible], strict=True):
        truth[(frame - row_of(known)).argmax()] = log_p - log_sum
    # Forty rows, which are computed in parts, the last of them shorter.
    rows = each(conditionals, lambda tensor: tensor.expand(40, -1))
    found = log_one_more(model.rbm, row_of(known).expand(40, -1), rows)
    for row in found:
        assert row.tolist() == pytest.approx(truth.tolist(), abs=EXACT)


def test_what_is_known_matters(model, conditionals):
    """The tests above would pass an independent model; this one is none."""
    rows = each(conditionals, lambda tensor: tensor.expand(2, -1))
    one, other = log_one_more(model.rbm, torch.stack([row_of([0, 5]), row_of([1, 5])]), rows)
    assert abs((one[2] - one[3]) - (other[2] - other[3])) > 0.05


@pytest.mark.parametrize("known", KNOWN)
def test_ais_with_what_is_known_clamped_agrees_with_the_joint(model, conditionals, joint, known):
    torch.manual_seed(6)
    possible = agrees(known)
    truth = joint[possible] - torch.logsumexp(joint[possible], 0)
    frames = all_frames(VISIBLE)[possible][:16].float()
    rows = each(conditionals, lambda tensor: tensor.expand(len(frames), -1))
    found = log_completion(model.rbm, frames, row_of(known).expand(len(frames), -1), rows, temperatures=300, chains=16)
    # 4,800 visits to at most 128 frames sum all but the rarest; 100 nats in float32 cost 1e-5
    assert found.tolist() == pytest.approx(truth[:16].tolist(), abs=2e-3)


@pytest.mark.parametrize("known", KNOWN)
def test_the_instrument_draws_the_conditional(model, conditionals, joint, known):
    """Frequencies of each completion within 4.5 standard errors of DRAWS, seeds fixed; never one without the known."""
    arrays = model_arrays(model)
    sampler = Sampler(arrays["weight"], arrays["slab_precision"], arrays["slab_mean"], np.random.default_rng(8))
    clamp = np.full(VISIBLE, FREE, np.int8)
    clamp[known] = ON
    visible_bias, hidden_bias = (tensor.numpy() for tensor in conditionals)
    start = np.zeros(VISIBLE, np.bool_)
    drawn = np.array(
        [sampler.sample_frame(start, visible_bias, hidden_bias, clamp, sweeps=SWEEPS) for _ in range(DRAWS)]
    )
    frequency = np.bincount(drawn @ (1 << np.arange(VISIBLE)), minlength=2**VISIBLE) / DRAWS
    possible = agrees(known)
    truth = torch.softmax(joint.masked_fill(~possible, -torch.inf), 0).numpy()
    assert frequency[~possible.numpy()].sum() == 0
    # Where fewer than five are expected a frequency is no normal variable: those completions are counted together.
    rare = truth * DRAWS < 5
    probabilities = np.append(truth[~rare], truth[rare].sum())
    frequencies = np.append(frequency[~rare], frequency[rare].sum())
    errors = np.sqrt(probabilities * (1 - probabilities) / DRAWS)
    assert (np.abs(frequencies - probabilities) <= 4.5 * errors).all()


def test_the_instrument_does_not_draw_another_conditional(model, conditionals, joint):
    """The frequencies of the test above are far from the joint's without the clamp: it could fail."""
    known = [0, 5]
    clamped = torch.softmax(joint.masked_fill(~agrees(known), -torch.inf), 0)
    marginals = torch.exp(joint) @ all_frames(VISIBLE)
    free = [pitch for pitch in range(VISIBLE) if pitch not in known]
    difference = (clamped @ all_frames(VISIBLE))[free] - marginals[free]
    assert difference.abs().max() > 4.5 * 0.5 / DRAWS**0.5


def test_independent_pitches_have_the_closed_form():
    """Against their own joint, enumerated."""
    torch.manual_seed(2)
    logits = torch.randn(VISIBLE, dtype=torch.float64)
    frames = all_frames(VISIBLE)
    joint = torch.log_softmax(frames @ logits, 0)
    for known in KNOWN:
        possible, row = agrees(known), row_of(known)
        truth = joint[possible] - torch.logsumexp(joint[possible], 0)
        completions = independent_log_completion(logits, frames[possible], row)
        assert completions.tolist() == pytest.approx(truth.tolist(), abs=EXACT)
        single = possible & (frames.sum(1) == len(known) + 1)
        expected = torch.softmax(joint.masked_fill(~single, -torch.inf), 0) @ frames
        expected[known] = 0
        found = independent_log_one_more(logits[None], row[None])[0].exp()
        assert found.tolist() == pytest.approx(expected.tolist(), abs=EXACT)
