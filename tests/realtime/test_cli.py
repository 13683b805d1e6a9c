"""What the command does with bad input, and what it loads. Whole performances are in tests/end_to_end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cgrnn_live import cli
from cgrnn_live.errors import UsageError


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run `cgrnn-live` with arguments in this process; return exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cgrnn-live", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--port x --temperature -1", "--temperature is -1"),
        ("--port x --temperature nan", "--temperature is nan"),
        ("--port x --temperature inf", "--temperature is inf"),
        ("--port x --gibbs 0", "--gibbs is 0"),
        ("--port x --low 90 --high 20", "--low is 90 and --high is 20"),
        ("--port x --low -1", "--low is -1"),
        ("--port x --high 128", "--high is 128"),
        ("--port x --scale Z", "--scale is 'Z'"),
        ("--port x --low 61 --high 61 --scale C_major".replace("_", "\N{NO-BREAK SPACE}"), "No pitch"),
        ("--port x --bpm 0", "--bpm is 0"),
        ("--port x --frame 1/0", "--frame is 1/0"),
        ("--port x --channel 0", "--channel is 0"),
        ("--port x --channel 17", "--channel is 17"),
        ("--port x --velocity 0", "--velocity is 0"),
        ("--port x --seed -1", "--seed is -1"),
        ("--port x --duration 0", "--duration is 0"),
        ("--port x --mode jam", "'jam'"),
        ("--port x --api oss", "'oss'"),
        ("--port", "--port"),
        ("--frob", "--frob"),
        ("frob", "frob"),
        ("render", "PROMPT.mid"),
        ("render a.mid b.mid --seconds nan", "--seconds is nan"),
        ("demo --seconds -5", "--seconds is -5"),
        ("audio --duration 0", "--duration is 0"),
        ("audio --duration nan", "--duration is nan"),
        ("audio --rate 999", "--rate is 999"),
        ("audio --rate 48000.5", "--rate is 48000.5"),
        ("audio --temperature 0", "--temperature is 0"),
        ("audio --gibbs none", "--gibbs is none"),
        ("audio --model no-such-model", "no-such-model"),
        ("audio --model pop", "pop is a model of MIDI; play it with `cgrnn-live --port NAME`"),
        ("audio pluck", "pluck"),
        ("--seed 3 demo", "--seed stands before 'demo'"),
        ("--json models", "--json stands before 'models'"),
        ("", "cgrnn-live demo"),
    ],
)
def test_nonsense_is_one_sentence_and_exit_code_2(command, line: str, says: str) -> None:
    code, out, err = command(*line.split(" ") if line else [])
    assert (code, out) == (2, "")
    assert says in err
    assert err.startswith("cgrnn-live: ")
    assert err.count("\n") == 1


def test_a_missing_model_is_exit_code_2_with_its_name(command, tmp_path) -> None:
    code, _, err = command("demo", "--model", str(tmp_path / "nothing"))
    assert code == 2
    assert str(tmp_path / "nothing") in err
    assert err.count("\n") == 1


def test_without_a_shipped_model_of_sound_one_is_asked_for(command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cgrnn_live.loading.DEFAULT_SOUND_MODEL", "not-shipped")
    code, out, err = command("audio", "--render", "never.wav")
    assert (code, out) == (2, "")
    assert err == "cgrnn-live: no model of sound came with this installation: give --model PATH, a bundle of your own\n"


def test_a_fault_of_ours_is_one_sentence_and_exit_code_1(command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a\nfault")

    monkeypatch.setattr("cgrnn_live.loading.describe_models", fail)
    code, out, err = command("models")
    assert (code, out) == (1, "")
    assert err == "cgrnn-live: a fault of ours: ZeroDivisionError: a fault (CGRNN_DEBUG=1 shows where).\n"

    monkeypatch.setenv("CGRNN_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["cgrnn-live", "models"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_an_interrupt_before_anything_plays_is_130(command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cgrnn_live.loading.describe_models", interrupt)
    assert command("models") == (130, "", "")


def test_what_the_user_can_mend_is_exit_code_2_from_any_depth(command, monkeypatch: pytest.MonkeyPatch) -> None:
    class DeepError(UsageError):
        """One of the instrument's own."""

    def fail(*_: object) -> None:
        raise DeepError("Mend it.")

    monkeypatch.setattr("cgrnn_live.loading.describe_models", fail)
    assert command("models") == (2, "", "cgrnn-live: Mend it.\n")


def test_models_as_json(command) -> None:
    code, out, err = command("models", "--json")
    assert (code, err) == (0, "")
    assert isinstance(json.loads(out)["models"], list)


def test_version(command) -> None:
    code, out, _ = command("--version")
    assert (code, out.count(".")) == (0, 2)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["render", "--help"], ["audio", "--help"], ["--version"], ["--port", "x", "--low", "200"]]
)
def test_help_and_usage_errors_load_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom cgrnn_live.cli import main\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(result.stderr.splitlines()[-1].split())
    heavy = {"torch", "numpy", "onnxruntime", "mido", "rtmidi", "pretty_midi", "sounddevice", "rich", "asyncio"}
    assert not loaded & heavy
    assert "cgrnn_live" in loaded


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads as Linux does")
def test_numbers_are_computed_on_one_thread() -> None:
    """Else, on more than one core, numpy's linear algebra would have started its own by then."""
    program = """
import os, sys
from cgrnn_live.cli import main
assert "numpy" not in sys.modules
sys.argv = ["cgrnn-live", "models", "--json"]
try:
    main()
except SystemExit:
    import numpy as np
    square = np.ones((500, 500))
    square @ square
    print(len(os.listdir("/proc/self/task")), file=sys.stderr)
"""
    environment = {name: value for name, value in os.environ.items() if name not in cli.ONE_THREAD}
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert result.stderr == "1\n"


def test_an_interrupt_that_comes_out_as_another_error_is_no_fault_of_ours(
    command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the midst of an extension's import."""

    def importing(**_: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    monkeypatch.setattr(cli, "app", importing)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert command("models") == (130, "", "")
    finally:
        signal.signal(signal.SIGINT, before)
