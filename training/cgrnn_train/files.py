"""Files that are there whole or not at all, whoever else writes them and whatever stops this process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write_whole(path: Path, content: bytes) -> None:
    """Write ``path`` beside its name and then rename it; its folder must be there. Raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def write_json(path: Path, value: Any) -> None:
    """`write_whole` of ``value`` as JSON for people to read too; a name that is no Unicode is escaped."""
    write_whole(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode(errors="backslashreplace"))
