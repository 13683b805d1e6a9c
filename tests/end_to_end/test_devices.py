"""What is there to play into, and what a sound device and a terminal show."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.jack

MAIN = "from cgrnn_live.cli import main; main()"


def test_ports_lists_them_as_json(ear: Any, jack: str, command: Any) -> None:
    result = command("ports", "--json", JACK_DEFAULT_SERVER=jack)
    assert json.loads(result.stdout) == {"api": "jack", "outputs": ["daw:track"], "inputs": []}
    assert result.stderr == ""


def test_demo_sounds_on_a_device(jack: str, bundle: Path, command: Any, tmp_path: Path) -> None:
    result = command("demo", "--model", bundle, "--seconds", 1, "--json", JACK_DEFAULT_SERVER=jack)
    summary = json.loads(result.stdout)
    assert result.returncode == 0
    assert summary["frames"] + summary["dropped"] == 4
    assert summary["device"]
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_shows_the_live_line(ear: Any, jack: str, bundle: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX's")
    ours, theirs = pty.openpty()
    line = [sys.executable, "-c", MAIN, "--model", str(bundle), "--port", "daw", "--duration", "1"]
    variables = {**os.environ, "JACK_DEFAULT_SERVER": jack, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(line, stderr=theirs, stdout=subprocess.PIPE, cwd=tmp_path, env=variables)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 4096):
            shown += data
    except OSError:  # the other side has gone
        pass
    finally:
        os.close(ours)
    assert process.communicate(timeout=20) == (b"", None)
    assert re.search(rb"free: plays  frame [1-4]  notes \d", shown)
