"""What a recurrent net sees of a frame."""

import torch

from cgrnn_train.models.mlp import frame_mlp


def test_sound_is_companded_and_pitches_are_not():
    frames = torch.tensor([[0.0, 1e-3, -1e-3, 1.0, -1e3, 1e3]])
    (seen, width), (same, _) = frame_mlp("continuous", 6, (), 0.0), frame_mlp("binary", 6, (), 0.0)
    assert width == 6
    assert torch.equal(same(frames), frames)
    assert torch.allclose(seen(frames)[0, :3], frames[0, :3], rtol=1e-6)  # linear where it is small
    assert torch.equal(seen(frames)[0, 4], -seen(frames)[0, 5])
    assert 7 < seen(frames)[0, 5] < 8  # log 2,000


def test_layers_see_what_is_companded():
    torch.manual_seed(0)
    layers, width = frame_mlp("continuous", 6, (5,), 0.0)
    assert width == 5
    first = layers[1]
    frames = 100 * torch.randn(3, 6)
    assert isinstance(first, torch.nn.Linear)
    assert torch.allclose(layers(frames), torch.relu(first(torch.asinh(frames))))
