"""One step of a model of sound: transition + collapsed Gibbs, the coder that turns the frame to samples, and both.

    python benchmarks/wave_step.py [--visible 150] [--hidden 250] [--state 500] [--order 128] [--gains 16]
                                   [--share 0.5] [--sweeps 1 2 3 4] [--calls 3000] [--json]

"2 sweeps" is a frame drawn and heard, "2 + coder" its samples too, as a stream has them. One thread, interleaved call
by call. The model has random weights and is exported as any run is. The cost of a sweep is that of a system of as many
equations as spikes are on, or, of many, off, so their bias is the one at which `--share` of them is on in the long
run; what share that is in fact is printed.

A frame of 150 samples at 11,025 Hz lasts 13.6 ms.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before numpy and torch start their pools

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from cgrnn_bundle.bundle import Bundle, load
from cgrnn_bundle.waves import WaveCoder, WaveSpec
from cgrnn_live.noise import Vector
from cgrnn_live.transition import Transition
from cgrnn_live.wave_engine import WaveEngine
from cgrnn_live.wave_sampler import WaveSampler
from cgrnn_live.wave_source import LOUDEST_MODEL_SAMPLE
from cgrnn_train.config import FitConfig, RunConfig
from cgrnn_train.data.waves import Clip, Waves, write_waves
from cgrnn_train.export import export, model_arrays
from cgrnn_train.models.cgrnn import CGRNN, CGRNNConfig
from cgrnn_train.run import save_config, save_weights

SAMPLE_RATE = 11_025
TARGET_MS = 1.4


def random_bundle(visible: int, hidden: int, state: int, order: int, share: float, gains: int) -> Bundle:
    """The bundle of a CGRNN over sound with random weights, whose spikes are on for a share of the time."""
    torch.manual_seed(0)
    model = CGRNN(
        CGRNNConfig(kind="continuous", visible=visible, hidden=hidden, state=state, slab_mean=0.0, gains=gains)
    )
    weight = model_arrays(model)["weight"]
    with torch.no_grad():
        model.rbm.hidden_modulation.weight.zero_()
        model.rbm.hidden_bias.fill_(bias_of(weight, share))
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 4 * visible).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        run, data = Path(folder, "run"), Path(folder, "data")
        save_config(run, RunConfig("cgrnn", model.config, FitConfig()), "benchmarks/wave_step.py")
        save_weights(run, model)
        meta = {"source": "random", "licence": "none"}
        write_waves(data, [Clip("noise", "train", noise, {})], WaveSpec(SAMPLE_RATE, visible, order=order), meta)
        export(run, Path(folder, "bundle"), Waves.open(data), name="random")
        return load(Path(folder, "bundle"))


def share_on(weight: Vector, bias: float, sweeps: int = 300) -> float:
    """The share of spikes on in the long run of a chain with W (visible, hidden), m = 0 and one bias for all."""
    hidden = weight.shape[1]
    sampler = WaveSampler(weight, np.zeros(hidden, np.float32), np.random.default_rng(1))
    hidden_bias = np.full(hidden, bias, np.float32)
    frame, share = np.zeros(len(weight)), []
    for _ in range(sweeps):
        frame = sampler.sample(frame, hidden_bias, sweeps=1)
        logits = 0.5 * np.square(frame @ weight) + bias
        share.append(np.mean(0.5 + 0.5 * np.tanh(0.5 * logits)))
    return float(np.mean(share[sweeps // 3 :]))


def bias_of(weight: Vector, share: float) -> float:
    """The bias at which a share of the spikes is on, by bisection."""
    low, high = -60.0, 60.0
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (low, middle) if share_on(weight, middle) > share else (middle, high)
    return (low + high) / 2


def engine_step(bundle: Bundle, sweeps: int) -> Callable[[], None]:
    """A frame drawn, and heard."""
    engine = WaveEngine(bundle, seed=0, sweeps=sweeps)
    return lambda: engine.advance(engine.sample())


def coder_step(bundle: Bundle) -> Callable[[], None]:
    """The samples of a frame, after others that fill the history; of noise that fades, so that it stays in bounds."""
    assert isinstance(bundle.manifest.frame, WaveSpec)
    spec = bundle.manifest.frame
    coder = WaveCoder(spec, loudest=LOUDEST_MODEL_SAMPLE)
    random = np.random.default_rng(0)

    def step() -> None:
        coder.decode((0.7 * random.standard_normal(spec.frame_samples)).astype(np.float32))

    for _ in range(spec.window // spec.frame_samples + 1):
        step()
    return step


def whole_step(bundle: Bundle, sweeps: int) -> Callable[[], None]:
    """A frame drawn, turned to samples, and heard: the instrument's step."""
    engine = WaveEngine(bundle, seed=0, sweeps=sweeps)
    coder = WaveCoder(engine.spec, loudest=LOUDEST_MODEL_SAMPLE)

    def step() -> None:
        frame = engine.sample()
        coder.decode(frame)
        engine.advance(frame)

    return step


def transition_step(bundle: Bundle) -> Callable[[], None]:
    """The transition alone."""
    return Transition(bundle).advance


def measure(steps: dict[str, Callable[[], None]], calls: int) -> dict[str, list[int]]:
    """Nanoseconds of ``calls`` calls of each step, in blocks of 20 in turn, each after 3 that are not counted."""
    times: dict[str, list[int]] = {name: [] for name in steps}
    for _ in range(calls // 20):
        for name, step in steps.items():
            for call in range(23):
                begin = time.perf_counter_ns()
                step()
                if call >= 3:
                    times[name].append(time.perf_counter_ns() - begin)
    return times


def summary(times: list[int]) -> dict[str, float]:
    """Minimum, median, p99 and maximum in microseconds."""
    values = np.percentile(times, [0, 50, 99, 100]) / 1000
    return dict(zip(("min_us", "p50_us", "p99_us", "max_us"), values.round(1).tolist(), strict=True))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--visible", type=int, default=150)
    parser.add_argument("--hidden", type=int, default=250)
    parser.add_argument("--state", type=int, default=500)
    parser.add_argument("--order", type=int, default=128)
    parser.add_argument("--gains", type=int, default=16)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--sweeps", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bundle = random_bundle(options.visible, options.hidden, options.state, options.order, options.share, options.gains)
    steps = {"transition": transition_step(bundle), "coder": coder_step(bundle)}
    for sweeps in options.sweeps:
        steps[f"{sweeps} sweep{'s' if sweeps > 1 else ''}"] = engine_step(bundle, sweeps)
        steps[f"{sweeps} + coder"] = whole_step(bundle, sweeps)
    results = {name: summary(values) for name, values in measure(steps, options.calls).items()}
    share = share_on(bundle.arrays["weight"], float(bundle.arrays["initial_hidden_bias"][0]), 1000)
    if options.json:
        print(json.dumps({"share_on": round(share, 3), "steps": results}))
        return
    sizes = f"{options.visible} visible, {options.hidden} hidden, {options.state} state, order {options.order}"
    print(f"{sizes}; {share:.0%} of the spikes on")
    for name, row in results.items():
        numbers = "   ".join(f"{key.removesuffix('_us')} {value:7.1f}" for key, value in row.items())
        print(f"{name:12}  {numbers}  us")
    print(f"target: p99 of 2 sweeps at most {TARGET_MS} ms of a frame's {1e3 * options.visible / SAMPLE_RATE:.1f}")


if __name__ == "__main__":
    main()
