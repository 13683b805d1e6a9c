"""Opening a data set of either kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cgrnn_bundle.frames import FrameSpec
from cgrnn_bundle.waves import WaveSpec
from cgrnn_train.data.packed import PackedFrames
from cgrnn_train.data.store import DataSet, read_meta
from cgrnn_train.data.waves import Waves


def open_data(path: Path | str) -> DataSet:
    """Open the data set in folder `path`, of rolls or of sound as its meta says; DataError if it is none."""
    kind = Waves if _is_of_sound(read_meta(Path(path))["frame"]) else PackedFrames
    return kind.open(path)


def frame_spec(values: dict[str, Any]) -> FrameSpec | WaveSpec:
    """Return the spec that `dataclasses.asdict` made `values` of; TypeError or ValueError if it is none."""
    return WaveSpec(**values) if _is_of_sound(values) else FrameSpec(**values)


def _is_of_sound(values: dict[str, Any]) -> bool:
    return "sample_rate" in values
