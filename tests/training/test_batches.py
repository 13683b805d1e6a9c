"""Batches: every frame once an epoch, at its own place, whatever the number of processes."""

import numpy as np
import pytest
import torch

from cgrnn_train.data.batches import TrainingBatches, cut
from cgrnn_train.data.errors import DataError
from cgrnn_train.data.sequences import frame_statistics, sequences


def frames_seen(batches):
    rows = [batch.rows for batch in batches]
    return torch.cat(rows).sort().values


def test_an_epoch_sees_every_training_frame_once(data):
    batches = TrainingBatches(data, batch_size=4, longest=10)
    expected = [range(p.offset, p.offset + p.length) for p in data.pieces("train")]
    assert frames_seen(batches).tolist() == sorted(row for rows in expected for row in rows)


def test_chunks_are_no_longer_than_asked_and_nearly_equal(data):
    chunks = cut(data.pieces("train"), 10)
    lengths = [chunk.length for chunk in chunks]
    assert max(lengths) <= 10
    assert min(lengths) >= 6


def test_frames_stand_at_their_rows_and_are_transposed_by_their_shift(data):
    everything = np.unpackbits(data.packed[:], axis=1).astype(bool)
    shifts = set()
    for batch in TrainingBatches(data, batch_size=4, longest=10, transpose=3):
        for frame, row, shift in zip(batch.frames[batch.mask], batch.rows, batch.shift, strict=True):
            assert np.array_equal(np.roll(everything[row], shift), frame.bool().numpy())
            shifts.add(int(shift))
    assert len(shifts) > 1
    assert max(map(abs, shifts)) <= 3


def test_epochs_differ_and_repeat(data):
    def order(epoch):
        batches = TrainingBatches(data, batch_size=2, longest=50, seed=3)
        batches.epoch = epoch
        return [tuple(batch.rows.tolist()) for batch in batches]

    assert order(0) == order(0)
    assert order(0) != order(1)


@pytest.mark.parametrize("world", [2, 3, 5])
def test_every_process_count_sees_every_training_frame(data, world):
    """12 sequences for 5 processes: the three with two take one twice, its rows still theirs alone."""
    parts = [TrainingBatches(data, batch_size=2, longest=50, rank=rank, world=world) for rank in range(world)]
    expected = {row for piece in data.pieces("train") for row in range(piece.offset, piece.offset + piece.length)}
    assert set(torch.cat([frames_seen(part) for part in parts]).tolist()) == expected


def test_there_must_be_a_sequence_for_each_process(data):
    with pytest.raises(DataError, match="found 12 training sequences for 13 processes"):
        TrainingBatches(data, batch_size=2, longest=50, rank=0, world=13)


def test_the_mean_frame_is_that_of_the_training_split(data):
    train = torch.cat(list(sequences(data, "train")))
    assert torch.allclose(frame_statistics(data).mean, (train.sum(0) + 0.05) / (len(train) + 0.1))


@pytest.mark.parametrize("world", [2, 3, 5])
def test_processes_share_the_sequences_and_take_the_same_steps(data, world):
    parts = [TrainingBatches(data, batch_size=2, longest=50, rank=rank, world=world) for rank in range(world)]
    assert len({len(part) for part in parts}) == 1
    seen = [set(part.owned_rows().tolist()) for part in parts]
    assert sum(map(len, seen)) == len(set.union(*seen))
    for part, rows in zip(parts, seen, strict=True):
        assert set(frames_seen(part).tolist()) == rows
