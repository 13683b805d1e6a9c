"""Long estimates in chunks of rows: memory bounded by the chunk, and an interruption loses one chunk at most.

Each chunk draws from a generator seeded by (seed, its first row), so that a result depends neither on what ran before
it nor on where it was interrupted. Finished chunks are kept in a folder, each a safetensors file that appears under its
name when it is complete (written beside it, then renamed); `store/key.json` says what they are chunks of.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

KEY_FILE = "key.json"


def in_chunks(
    rows: int,
    chunk: int,
    estimate: Callable[[slice], dict[str, Tensor]],
    *,
    seed: int = 0,
    store: Path | None = None,
    key: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Tensor]:
    """Run ``estimate`` on chunks of rows and join what it returns.

    Args:
        rows: how many there are.
        chunk: rows a call; part of the key, and of the random numbers.
        estimate: given a slice of rows, tensors (rows of the slice, …), drawn with torch's global generators.
        seed: of the random numbers; part of the key.
        store: a folder of its own for the finished chunks, made where it is missing; nothing is kept without it. It
            stays when all is done; the caller may remove it.
        key: whatever else the results depend on (temperatures, a digest of the weights), as JSON. A store of the same
            key is resumed, one of another key is emptied and begun anew.
        progress: called with the number of rows of each chunk, also of those found in the store.

    Returns:
        ``estimate``'s tensors joined along the first dimension, on the CPU.

    Raises:
        ValueError: no rows, or ``store`` is a folder with something else in it.
    """
    if rows < 1 or chunk < 1:
        raise ValueError(f"found {rows} rows in chunks of {chunk}; expected at least one of each")
    if store is not None:
        _open(store, {"rows": rows, "chunk": chunk, "seed": seed, **(key or {})})
    parts: list[dict[str, Tensor]] = []
    for start in range(0, rows, chunk):
        kept = None if store is None else store / f"{start:09d}.safetensors"
        if kept is not None and kept.exists():
            part = safetensors.torch.load(kept.read_bytes())
        else:
            part = _estimate(estimate, slice(start, min(start + chunk, rows)), seed)
            if kept is not None:
                _write(kept, safetensors.torch.save(part))
        parts.append(part)
        progress(min(chunk, rows - start))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _estimate(estimate: Callable[[slice], dict[str, Tensor]], rows: slice, seed: int) -> dict[str, Tensor]:
    """``estimate`` of ``rows`` under a seed of its own; torch's global generators are left as they were."""
    digest = hashlib.sha256(f"{seed} {rows.start}".encode()).digest()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(int.from_bytes(digest[:8], "little", signed=True))
        return {name: tensor.detach().cpu().contiguous() for name, tensor in estimate(rows).items()}


def _open(store: Path, key: Mapping[str, Any]) -> None:
    """Make ``store`` a folder of chunks of ``key``: as it is if it has that key, else empty."""
    text = json.dumps(key, indent=1, sort_keys=True) + "\n"
    key_file = store / KEY_FILE
    if key_file.is_file() and key_file.read_text() == text:
        return
    if store.exists() and any(store.iterdir()):
        if not key_file.is_file():
            raise ValueError(f"{store}: found files but no {KEY_FILE}; expected an empty folder or a store of chunks")
        shutil.rmtree(store)
    store.mkdir(parents=True, exist_ok=True)
    _write(key_file, text.encode())


def _write(path: Path, content: bytes) -> None:
    """Write ``path`` so that it is there complete or not at all."""
    beside = path.with_name(f".{path.name}.tmp")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
