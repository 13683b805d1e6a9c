"""The engine's state is all there is: saved, loaded in another process and gone on from, it writes the same file."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np

from cgrnn_bundle.bundle import load
from cgrnn_bundle.frames import FrameSpec, frames_to_notes
from cgrnn_live.engine import Engine, Evidence
from cgrnn_live.render import improvise, write_notes

GO_ON = """
import pickle, sys
import numpy as np
from cgrnn_bundle.bundle import load
from cgrnn_live.engine import Engine, Evidence
from cgrnn_live.render import improvise
bundle, state, frames = sys.argv[1:]
engine = Engine(load(bundle), seed=0)
with open(state, "rb") as file:
    engine.restore(pickle.load(file))
np.save(frames, improvise(engine, Evidence.build(), 25))
"""


def test_a_performance_goes_on_in_another_process(bundle: Path, tmp_path: Path) -> None:
    model = load(bundle)
    spec = model.manifest.frame
    assert isinstance(spec, FrameSpec)

    def write(name: str, frames: np.ndarray) -> bytes:
        write_notes(tmp_path / name, {"Model": frames_to_notes(frames, spec)})
        return (tmp_path / name).read_bytes()

    whole = write("whole.mid", improvise(Engine(model, seed=5, temperature=1.5, sweeps=7), Evidence.build(), 40))
    engine = Engine(model, seed=5)
    engine.temperature, engine.sweeps = 1.5, 7
    first = improvise(engine, Evidence.build(), 15)
    (tmp_path / "state").write_bytes(pickle.dumps(engine.snapshot()))
    line = [sys.executable, "-c", GO_ON, str(bundle), str(tmp_path / "state"), str(tmp_path / "rest.npy")]
    subprocess.run(line, check=True, timeout=60)
    rest = np.load(tmp_path / "rest.npy")
    assert write("parts.mid", np.concatenate([first, rest])) == whole
    assert write("other.mid", improvise(Engine(model, seed=6), Evidence.build(), 40)) != whole
