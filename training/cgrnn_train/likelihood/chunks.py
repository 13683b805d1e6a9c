"""Long estimates in chunks of rows: memory bounded by the chunk, and an interruption loses one chunk at most.

Each chunk draws from a generator seeded by (seed, its first row), so that a result depends neither on what ran before
it nor on where it was interrupted. Finished chunks are kept in a folder of the store that is named by the first 16 hex
digits of the SHA-256 of its `key.json`, which says what they are chunks of: estimates of different settings share a
store without harm. A chunk is a safetensors file with a digest of its own, which appears under its name when it is
complete (written beside it, then renamed). One that is damaged, or that another process has removed, is computed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from cgrnn_train.files import write_whole

KEY_FILE = "key.json"

ATTEMPTS = 100
"""To write a chunk into a folder that others remove."""


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
        estimate: given a slice of rows, tensors to be joined along the first dimension, which need not be the slice's
            length (a row may be a whole piece); drawn with torch's global generators.
        seed: of the random numbers; part of the key.
        store: a folder for the finished chunks, made where it is missing; nothing is kept without it. Other files in it
            are left alone. It stays when all is done; the caller may remove it, even while another process with the
            same key is at work.
        key: whatever else the results depend on (temperatures, a digest of the weights), as JSON. What the store has of
            the same key is resumed; each key has a folder of its own in it.
        progress: called with the number of rows of each chunk, also of those found in the store.

    Returns:
        ``estimate``'s tensors joined along the first dimension, on the CPU.

    Raises:
        ValueError: no rows.
    """
    if rows < 1 or chunk < 1:
        raise ValueError(f"found {rows} rows in chunks of {chunk}; expected at least one of each")
    text = json.dumps({"rows": rows, "chunk": chunk, "seed": seed, **(key or {})}, indent=1, sort_keys=True) + "\n"
    folder = None if store is None else store / hashlib.sha256(text.encode()).hexdigest()[:16]
    parts: list[dict[str, Tensor]] = []
    for start in range(0, rows, chunk):
        kept = None if folder is None else folder / f"{start:09d}.safetensors"
        part = None if kept is None else _read(kept)
        if part is None:
            part = _estimate(estimate, slice(start, min(start + chunk, rows)), seed)
            if kept is not None:
                _keep(kept, part, text)
        parts.append(part)
        progress(min(chunk, rows - start))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _estimate(estimate: Callable[[slice], dict[str, Tensor]], rows: slice, seed: int) -> dict[str, Tensor]:
    """``estimate`` of ``rows`` under a seed of its own; torch's global generators are left as they were."""
    digest = hashlib.sha256(f"{seed} {rows.start}".encode()).digest()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(int.from_bytes(digest[:8], "little", signed=True))
        return {name: tensor.detach().cpu().contiguous() for name, tensor in estimate(rows).items()}


def _read(path: Path) -> dict[str, Tensor] | None:
    """The chunk that `_keep` wrote; None if it is not there or is not that any more."""
    try:
        content = path.read_bytes()
        part = safetensors.torch.load(content)
    except (OSError, SafetensorError, KeyError):  # KeyError: a number format that torch has not
        return None
    return part if content == _pack(path.name, part) else None


def _pack(name: str, part: dict[str, Tensor]) -> bytes:
    """A safetensors file that carries a digest of its name and content."""
    digest = hashlib.sha256(name.encode() + safetensors.torch.save(part))
    return safetensors.torch.save(part, metadata={"sha256": digest.hexdigest()})


def _keep(path: Path, part: dict[str, Tensor], key: str) -> None:
    """Write a chunk, and ``key`` beside it; begin again where another process removes the folder meanwhile."""
    for attempt in range(ATTEMPTS):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not (path.parent / KEY_FILE).exists():
                write_whole(path.parent / KEY_FILE, key.encode())
            return write_whole(path, _pack(path.name, part))
        except FileNotFoundError:
            if attempt + 1 == ATTEMPTS:
                raise
