"""How fast AIS is beside the matrix products it cannot do without, and whether its memory is the chunk's.

A C-ssRBM and an RBM with random weights, 128 pitches and 150 hidden units, as in the JSB runs; 64 chains a frame. A
*sweep* is one chain of one frame at one temperature: its log-weight's gain and its Gibbs step. The bound is the time of
the two matrix products of a sweep alone, at the shapes AIS has them in, measured in turn with it. On CPU time, as a
shared machine's wall clock measures its other tenants.

    python benchmarks/ais_throughput.py [--frames N] [--temperatures T] [--threads K]
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from cgrnn_train.likelihood.ais import ais_log_partition
from cgrnn_train.likelihood.sweep import TILE_ROWS
from cgrnn_train.models.head import Head
from cgrnn_train.models.hidden_units import Spikes, UnitSlabs

VISIBLE, HIDDEN, CHAINS, REPEATS = 128, 150, 64, 5
MEMORY_FRAMES, MEMORY_CHUNK, MEMORY_TEMPERATURES = (256, 4096), 128, 3


def model(kind: str, frames: int) -> tuple[Head, torch.Tensor, torch.Tensor]:
    """A head, b̃_v (frames, visible) and b̃_h (frames, hidden); a tenth of the pitches on or fewer."""
    torch.manual_seed(0)
    weight = 0.1 * torch.randn(VISIBLE, HIDDEN)
    head = UnitSlabs(weight, 0.3 * torch.randn(HIDDEN)) if kind == "C-ssRBM" else Spikes(weight)
    return head, torch.randn(frames, VISIBLE) - 3, torch.randn(frames, HIDDEN) - 1


def seconds(run: Callable[[], object]) -> float:
    """CPU time of one call."""
    start = time.process_time()
    run()
    return time.process_time() - start


def throughput(kind: str, frames: int, temperatures: int) -> None:
    """Print sweeps a second of AIS and of the products."""
    head, visible_bias, hidden_bias = model(kind, frames)
    tile = max(CHAINS, TILE_ROWS // CHAINS * CHAINS)
    frame, hidden = (torch.rand(tile, VISIBLE) < 0.1).float(), torch.randn(tile, HIDDEN)
    drive, logits = torch.empty(tile, HIDDEN), torch.empty(tile, VISIBLE)
    sweeps = frames * CHAINS * temperatures
    rounds = max(1, sweeps // tile // 4)

    def anneal() -> object:
        return ais_log_partition(head, visible_bias, hidden_bias, temperatures=temperatures, chains=CHAINS)

    def multiply() -> None:
        for _ in range(rounds):
            torch.mm(frame, head.weight, out=drive)
            torch.mm(hidden, head.weight.T, out=logits)

    seconds(multiply)
    times = [(seconds(anneal) / sweeps, seconds(multiply) / (rounds * tile)) for _ in range(REPEATS)]
    ais, bound = (statistics.median(column) for column in zip(*times, strict=True))
    print(
        f"{kind:8}  AIS {1 / ais:9,.0f} sweeps/s ({ais * 1e6:.2f} us)   matrix products alone {1 / bound:9,.0f}"
        f" ({bound * 1e6:.2f} us)   ratio {bound / ais:.2f}"
    )


def peak_memory(frames: int) -> float:
    """MB, the peak of a process that does nothing else than anneal so many frames."""
    command = [sys.executable, __file__, "--memory", str(frames)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure_memory(frames: int) -> None:
    """Print what `peak_memory` reads."""
    head, visible_bias, hidden_bias = model("C-ssRBM", frames)
    ais_log_partition(
        head, visible_bias, hidden_bias, temperatures=MEMORY_TEMPERATURES, chains=CHAINS, chunk=MEMORY_CHUNK
    )
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--temperatures", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.memory:
        return measure_memory(options.memory)
    for kind in ("C-ssRBM", "RBM"):
        throughput(kind, options.frames, options.temperatures)
    few, many = MEMORY_FRAMES
    print(
        f"peak memory, chunks of {MEMORY_CHUNK}: {peak_memory(few):.0f} MB for {few} frames,"
        f" {peak_memory(many):.0f} MB for {many}"
    )


if __name__ == "__main__":
    main()
