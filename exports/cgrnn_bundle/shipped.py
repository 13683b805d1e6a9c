"""The bundles that come with the package, and how a player finds one by name or path."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from cgrnn_bundle.archive import near
from cgrnn_bundle.errors import fault
from cgrnn_bundle.layout import MANIFEST


def shipped_bundles() -> dict[str, Path]:
    """Return the folder of each shipped bundle, by name, in order."""
    models = Path(str(resources.files("cgrnn_bundle"))) / "models"
    return {manifest.parent.name: manifest.parent for manifest in sorted(models.glob(f"*/{MANIFEST}"))}


def find_bundle(name_or_path: str | os.PathLike[str]) -> Path:
    """Return where the bundle lies: a shipped one by its name, or any by its path.

    A text that is a shipped name means that bundle; write "./NAME" for a path of the same name. Raises BundleError with
    the near matches if there is neither.
    """
    shipped = shipped_bundles()
    if isinstance(name_or_path, str) and name_or_path in shipped:
        return shipped[name_or_path]
    if os.path.exists(name_or_path):
        return Path(name_or_path)
    expected = f"a shipped bundle ({', '.join(shipped) or 'there is none'}) or the path of a folder or .zip"
    raise fault(f"the model {os.fspath(name_or_path)}", "missing", expected, near(Path(name_or_path), shipped))
