"""How far AIS is from the truth, alone and with its visited frames summed, in the same time.

On some test frames of a trained run. The truth is taken to be what many times the sweeps say, with the visited frames
summed; the error of a frame is in nats, and half its mean square is about what a likelihood errs high by. A *sweep* is
one step of one chain: plain AIS makes one a temperature, the other two, half of them after the path.

    python benchmarks/ais_error.py RUN [--frames N] [--sweeps S ...] [--chains K] [--repeats R]
"""

import argparse
import time
from pathlib import Path

import torch

from cgrnn_train.annealed import Given
from cgrnn_train.data.sequences import sequences
from cgrnn_train.frame_scores import chosen_frames
from cgrnn_train.likelihood.ais import ais
from cgrnn_train.likelihood.summed import summed_ais
from cgrnn_train.models.binary import BinaryFrames
from cgrnn_train.models.energy import EnergySystem
from cgrnn_train.run import RunError, load, open_data

TRUTH_TEMPERATURES, TRUTH_CHAINS = 1000, 32


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--sweeps", type=int, nargs="+", default=[100, 200, 400])
    parser.add_argument("--chains", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    _, model = load(options.run)
    if not isinstance(model, EnergySystem):
        raise RunError(f"{options.run} has no RBM to anneal; give a run of rnn-rbm, rnn-ssrbm or cgrnn")
    if not isinstance(model.rbm, BinaryFrames):
        raise RunError(f"{options.run} is of sound, of which no frame is visited twice; give a run over pitches")
    pieces, head = sequences(open_data(options.run), "test"), model.rbm.head()
    torch.manual_seed(0)
    with torch.no_grad():
        _, biases = Given(model, pieces, 0).of(*chosen_frames(pieces, options.frames, 0))
    truth = summed_ais(head, *biases, temperatures=TRUTH_TEMPERATURES, chains=TRUTH_CHAINS).partition.value

    def plain(sweeps: int) -> torch.Tensor:
        return ais(head, *biases, temperatures=sweeps, chains=options.chains)[0].value

    def summed(sweeps: int) -> torch.Tensor:
        return summed_ais(head, *biases, temperatures=sweeps // 2, chains=options.chains).partition.value

    for sweeps in options.sweeps:
        for name, estimate in (("AIS", plain), ("visited frames summed", summed)):
            started = time.process_time()
            error = torch.stack([truth - estimate(sweeps) for _ in range(options.repeats)])  # of a likelihood
            spent = (time.process_time() - started) / options.repeats / options.frames
            print(
                f"{sweeps:5} sweeps x {options.chains} chains  {name:22} error {error.mean():+.4f}"
                f"  half its mean square {error.square().mean() / 2:.4f}  {1e3 * spent:.0f} ms a frame"
            )


if __name__ == "__main__":
    main()
