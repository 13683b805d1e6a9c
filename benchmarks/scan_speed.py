"""Training speed of the recurrence: the hand-written scan against a plain loop of cells, forward and backward.

    python benchmarks/scan_speed.py [--threads 2] [--device cpu] [--rounds 7]

Batch 16 (64 on a GPU), 240 steps, the paper's sizes: 500 state units, 400 inputs, 250 spikes and slabs. Two pairs, each
alternated in one run, medians compared:

    gru    `ScanGRU` against a loop of `torch.nn.GRUCell`
    cgrnn  the recurrence of a CGRNN with the mean feed E[h∘s | v, u] against the same step written with autograd

and the largest difference of any gradient, relative to that gradient's largest entry. The target on 2 CPU cores is a
ratio of 1.9 for the second, the recurrence that is trained here. A GRU alone has less to gain: PyTorch's cell is one
fused kernel, and at this size nearly all of its time is in matrix products that both sides need.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from cgrnn_train.models.cgrnn import CGRNN, CGRNNConfig
from cgrnn_train.models.gru import ScanGRU

STEPS, STATE, INPUTS = 240, 500, 400
TARGET = 1.9

Gradients = list[Tensor]


def gru_pair(batch: int, device: str) -> tuple[Callable[[], Gradients], Callable[[], Gradients]]:
    """Forward and backward of a GRU by a loop of cells and by the scan, with the same weights."""
    torch.manual_seed(0)
    scan, cell = ScanGRU(INPUTS, STATE).to(device), nn.GRUCell(INPUTS, STATE).to(device)
    ours = [scan.input_weight, scan.state_weight, scan.input_bias, scan.state_bias]
    theirs = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
    with torch.no_grad():
        for source, target in zip(ours, theirs, strict=True):
            target.copy_(source)
    inputs = torch.randn(batch, STEPS, INPUTS, device=device)
    target = torch.randn(batch, STEPS, STATE, device=device)

    def loop() -> Gradients:
        state = inputs.new_zeros(batch, STATE)
        states: list[Tensor] = []
        for t in range(STEPS):
            state = cell(inputs[:, t], state)
            states.append(state)
        return list(torch.autograd.grad((torch.stack(states, 1) * target).sum(), theirs))

    return loop, lambda: list(torch.autograd.grad((scan(inputs)[:, 1:] * target).sum(), ours))


def cgrnn_pair(batch: int, device: str) -> tuple[Callable[[], Gradients], Callable[[], Gradients]]:
    """Forward and backward of a CGRNN's recurrence step by step and by the scan."""
    torch.manual_seed(0)
    model = CGRNN(CGRNNConfig()).to(device)
    frames = (torch.rand(batch, STEPS, 128, device=device) < 0.05).float()
    target = torch.randn(batch, STEPS, STATE, device=device)
    weights = [p for name, p in model.named_parameters() if "visible" not in name and p.numel()]

    def loop() -> Gradients:
        slabs, rbm = model.rbm.slabs(), model.rbm
        drive = frames @ slabs.weight
        slab = slabs.mean + drive / slabs.precision
        base = drive.square() / (2 * slabs.precision) + slabs.mean * drive + rbm.folded_hidden_bias()
        seen = model.mlp(frames) @ model.frame_weight.T + model.input_bias
        state = model.initial_state.expand(batch, -1)
        states: list[Tensor] = []
        for t in range(STEPS):
            states.append(state)
            spikes = torch.sigmoid(base[:, t] + rbm.hidden_modulation(state))
            g = seen[:, t] + (spikes * slab[:, t]) @ model.feed_weight.T
            z = state @ model.state_weight.T + model.state_bias
            reset, update = torch.sigmoid(g[:, : 2 * STATE] + z[:, : 2 * STATE]).chunk(2, dim=1)
            candidate = torch.tanh(g[:, 2 * STATE :] + reset * z[:, 2 * STATE :])
            state = candidate + update * (state - candidate)
        return _gradients(torch.stack(states, 1))

    def _gradients(states: Tensor) -> Gradients:
        found = torch.autograd.grad((states * target).sum(), weights, allow_unused=True)
        return [torch.zeros_like(w) if g is None else g for g, w in zip(found, weights, strict=True)]

    return loop, lambda: _gradients(model.states(frames))


def seconds(call: Callable[[], Gradients], device: str) -> float:
    """Wall time of one call."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> int:
    """Print both comparisons; 1 if the second misses the target on a CPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    batch = 16 if options.device == "cpu" else 64
    ratios: dict[str, float] = {}
    for name, pair in {"gru": gru_pair, "cgrnn": cgrnn_pair}.items():
        loop, scan = pair(batch, options.device)
        difference = max(
            ((a - b).abs().max() / a.abs().max().clamp_min(1e-12)).item() for a, b in zip(loop(), scan(), strict=True)
        )
        times = [(seconds(loop, options.device), seconds(scan, options.device)) for _ in range(options.rounds)]
        plain, ours = (statistics.median(column) for column in zip(*times, strict=True))
        ratios[name] = statistics.median(a / b for a, b in times)
        frames = batch * STEPS
        print(
            f"{name:6} loop {frames / plain:8,.0f} frames/s   scan {frames / ours:8,.0f} frames/s   "
            f"ratio {ratios[name]:.2f}   gradients differ by {difference:.1e}"
        )
    is_met = options.device != "cpu" or ratios["cgrnn"] >= TARGET
    print(f"{'ok' if is_met else 'MISSED'}: cgrnn ratio {ratios['cgrnn']:.2f}, target {TARGET} on 2 CPU cores")
    return not is_met


if __name__ == "__main__":
    raise SystemExit(main())
