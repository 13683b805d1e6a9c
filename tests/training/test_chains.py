"""Persistent chains: packing, transposition, starting at the data."""

import numpy as np
import torch

from cgrnn_train.chains import Chains

UNUSED = torch.empty(0)
"""Where chains would restart; those of pitches have a beginning of their own."""


def packed(frames):
    return torch.from_numpy(np.packbits(frames, axis=1))


def test_chains_start_at_the_data_and_keep_what_is_written():
    random = np.random.default_rng(0)
    frames = random.random((6, 128)) < 0.2
    chains = Chains(packed(frames))
    still = torch.zeros(6, dtype=torch.long)
    assert torch.equal(chains.read(torch.arange(6), still, UNUSED), torch.from_numpy(frames).float())
    fresh = torch.from_numpy(random.random((2, 128)) < 0.2).float()
    chains.write(torch.tensor([4, 1]), still[:2], fresh)
    assert torch.equal(chains.read(torch.tensor([4, 1]), still[:2], UNUSED), fresh)
    assert torch.equal(chains.read(torch.tensor([0]), still[:1], UNUSED), torch.from_numpy(frames[:1]).float())


def test_chains_are_transposed_with_their_sequence():
    frames = np.zeros((2, 128), bool)
    frames[0, 60] = frames[1, 64] = True
    chains = Chains(packed(frames))
    rows, shift = torch.arange(2), torch.tensor([3, -4])
    read = chains.read(rows, shift, UNUSED)
    assert read[0].nonzero().tolist() == [[63]]
    assert read[1].nonzero().tolist() == [[60]]
    chains.write(rows, shift, read)
    assert torch.equal(chains.read(rows, shift * 0, UNUSED), torch.from_numpy(frames).float())
