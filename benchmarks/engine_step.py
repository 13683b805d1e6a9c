"""One engine step (transition + Gibbs sweeps) against eager PyTorch and against the time it takes to read the weights.

    python benchmarks/engine_step.py [--calls 2000] [--cold-calls 200] [--json]

Everything runs on one thread, interleaved call by call, so that a change of the machine's speed meets all of them
alike. The model has the paper's sizes (128 visible, 250 hidden, 500 recurrent, MLP 400-400) and random weights: the
cost does not depend on their values.

- warm: calls back to back.
- cold: one call every 250 ms, the caches overwritten in between, as when a DAW has the machine for the rest of the
  frame.
- floor: the transition's weights read once and W read twice a sweep, by numpy's fastest reduction.
- growth: resident memory gained over 10,000 steps.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before numpy and torch start their pools

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from cgrnn_bundle.bundle import Bundle, load
from cgrnn_bundle.frames import FrameSpec
from cgrnn_live.engine import Engine, Evidence
from cgrnn_train.config import FitConfig, RunConfig
from cgrnn_train.data.packed import PackedFrames, Roll, write_packed
from cgrnn_train.export import export
from cgrnn_train.models.cgrnn import CGRNN, CGRNNConfig
from cgrnn_train.models.cssrbm import BinaryCSSRBM
from cgrnn_train.models.hidden_units import UnitSlabs
from cgrnn_train.models.start import FrameStatistics
from cgrnn_train.run import save_config, save_weights
from cgrnn_train.transition import Transition

SWEEPS = 25
PERIOD = 0.25


def random_model() -> tuple[CGRNN, Bundle]:
    """A CGRNN of the paper's sizes with random weights, and its bundle."""
    torch.manual_seed(0)
    model = CGRNN(CGRNNConfig()).eval()
    model.rbm.start_from(FrameStatistics(torch.full((128,), 0.04)))
    with tempfile.TemporaryDirectory() as folder:
        run, data = Path(folder, "run"), Path(folder, "data")
        save_config(run, RunConfig("cgrnn", model.config, FitConfig()), "benchmarks/engine_step.py")
        save_weights(run, model)
        roll = Roll("noise", "train", np.random.default_rng(0).random((8, 128)) < 0.04)
        write_packed(data, [roll], FrameSpec(), {"source": "random", "licence": "none"})
        export(run, Path(folder, "bundle"), PackedFrames.open(data), name="random")
        return model, load(Path(folder, "bundle"))


def engine_step(bundle: Bundle) -> Callable[[], None]:
    """The instrument's step."""
    engine, evidence = Engine(bundle, seed=0, sweeps=SWEEPS), Evidence.build()

    def step() -> None:
        engine.advance(engine.sample(evidence))

    return step


def torch_step(model: CGRNN) -> Callable[[], None]:
    """The same step in eager PyTorch."""
    rbm = model.rbm
    assert isinstance(rbm, BinaryCSSRBM)
    transition, unit = Transition(model).eval(), UnitSlabs.of(rbm.slabs())
    state = model.initial_state[None]
    visible_bias, hidden_bias = rbm.conditionals(state)
    frame = torch.zeros(1, 128)
    held, is_free = torch.zeros(1, 128), torch.ones(1, 128, dtype=torch.bool)  # the evidence: nothing known

    @torch.inference_mode()
    def step() -> None:
        nonlocal frame, state, visible_bias, hidden_bias
        for _ in range(SWEEPS):
            frame = torch.where(is_free, unit.sweep(frame, visible_bias, hidden_bias), held)
        drive, logits = unit.spike_logits(frame, hidden_bias)
        state, visible_bias, hidden_bias = transition(frame, torch.sigmoid(logits) * drive, state)

    return step


def floor_step(bundle: Bundle) -> Callable[[], None]:
    """Only reading: every weight of the transition once, W twice a sweep."""
    transition = np.frombuffer(bundle.transition[: len(bundle.transition) // 4 * 4], np.float32).copy()
    transition[~np.isfinite(transition)] = 0
    weight = bundle.arrays["weight"].ravel().copy()

    def step() -> None:
        transition.max()
        for _ in range(2 * SWEEPS):
            weight.max()

    return step


def measure(steps: dict[str, Callable[[], None]], calls: int) -> dict[str, list[int]]:
    """Nanoseconds of ``calls`` calls of each step, taken in blocks of 20 in turn so that each block is warm."""
    times: dict[str, list[int]] = {name: [] for name in steps}
    for _ in range(calls // 20):
        for name, step in steps.items():
            for warm_up in (True, False):
                for _ in range(3 if warm_up else 20):
                    begin = time.perf_counter_ns()
                    step()
                    if not warm_up:
                        times[name].append(time.perf_counter_ns() - begin)
    return times


def measure_cold(step: Callable[[], None], calls: int) -> list[int]:
    """Nanoseconds of calls once every 250 ms with the caches overwritten in between."""
    other = np.zeros(64 << 20, np.uint8)
    times: list[int] = []
    deadline = time.perf_counter()
    for _ in range(calls):
        other += 1
        deadline += PERIOD
        time.sleep(max(0.0, deadline - time.perf_counter()))
        begin = time.perf_counter_ns()
        step()
        times.append(time.perf_counter_ns() - begin)
    return times


def resident_bytes() -> int:
    """Resident memory now (Linux), or its peak so far elsewhere."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def percentiles(times: list[int]) -> dict[str, float]:
    """Median, p99 and maximum in microseconds."""
    values = np.percentile(times, [50, 99, 100]) / 1000
    return dict(zip(("p50_us", "p99_us", "max_us"), values.round(1).tolist(), strict=True))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--cold-calls", type=int, default=200)
    parser.add_argument("--memory-steps", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, bundle = random_model()
    step = engine_step(bundle)
    times = measure({"engine": step, "torch": torch_step(model), "floor": floor_step(bundle)}, options.calls)
    results = {f"{name}_warm": percentiles(values) for name, values in times.items()}
    results["engine_cold"] = percentiles(measure_cold(step, options.cold_calls))
    before = resident_bytes()
    for _ in range(options.memory_steps):
        step()
    medians = {name: float(np.median(values)) for name, values in times.items()}
    summary = {
        "faster_than_torch": round(medians["torch"] / medians["engine"], 2),
        "times_the_floor": round(medians["engine"] / medians["floor"], 2),
        "growth_bytes": resident_bytes() - before,
    }
    if options.json:
        print(json.dumps({**results, **summary}))
        return
    for name, row in results.items():
        print(f"{name:12}  p50 {row['p50_us']:8.1f} us   p99 {row['p99_us']:8.1f} us   max {row['max_us']:8.1f} us")
    print(
        f"median: {summary['faster_than_torch']} times faster than eager torch, "
        f"{summary['times_the_floor']} times the floor"
    )
    print(f"memory gained over {options.memory_steps} steps: {summary['growth_bytes'] / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
