"""Whole performances into a JACK port that another process opened.

JACK's dummy server now and then loses or doubles a message by itself. So each test that counts messages sends known
ones of its own beside them, and a run in which those did not all arrive once is run again; or it wants one run of some
in which all arrived. (At 200 a second on a busy machine half of the runs lose one, at 50 hardly any.)
"""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mido
import pytest

from hands import begins, finish, sending

pytestmark = pytest.mark.jack

NOTE_OFF, NOTE_ON, CONTROL = 0x80, 0x90, 0xB0
CONTROL_CHANNEL = 15
TRIES = 4
TICKS_A_SECOND = 960

CRASHING = """
import cgrnn_live.engine

class Crashing(cgrnn_live.engine.Engine):
    frames = 0

    def sample(self, *arguments):
        Crashing.frames += 1
        if Crashing.frames == 6:
            raise ArithmeticError("injected")
        return super().sample(*arguments)

cgrnn_live.engine.Engine = Crashing
"""

SIGNALLED = """
import os, signal
from cgrnn_live import ports

class Signalled(ports.Output):
    def close(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        super().close()

ports.Output = Signalled
"""

FULL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"


def controlled(ear: Any, run: Callable[[], None]) -> None:
    """Run until the server has delivered every control message once, and every note-off if it did."""
    for _ in range(TRIES):
        ear.messages.clear()
        sent: list[int] = []

        def control(sent: list[int] = sent) -> Iterator[tuple[float, tuple[int, ...]]]:
            for number in range(100_000):
                sent.append(number % 128)
                yield 0.02, (CONTROL | CONTROL_CHANNEL, number % 128, 0)

        with sending("daw:track", control()):
            run()
        time.sleep(0.2)
        arrived = ear.of_kind(CONTROL, CONTROL_CHANNEL)
        if arrived in (sent, sent[:-1]):  # the last may not have been sent
            return
        if not ear.sounding():
            return
    pytest.skip(f"the JACK server lost messages of its own in {TRIES} runs")


def test_notes_arrive_on_the_grid(ear: Any, start: Any) -> None:
    def play() -> int:
        ear.messages.clear()
        code, out, err = finish(start("--port", "daw track", "--seed", 3, "--duration", 4, "--json"))
        summary = json.loads(out)
        assert code == 0
        assert "seed 3" in err
        assert (summary["port"], summary["frames"] + summary["dropped"]) == ("daw:track", 16)
        # At the send: what the server and this process add is not the instrument's. Half a frame late is never sent.
        assert 0 <= summary["lateness_ms"]["p50"] < 125
        return summary["notes"]

    # In a run the server may lose a period, and with it a whole chord.
    assert any(play() == len(ear.of_kind(NOTE_ON)) for _ in range(TRIES))
    assert ear.of_kind(CONTROL)[-2:] == [64, 123]


def test_nohup_is_respected(ear: Any, start: Any) -> None:
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    process = start("--port", "daw track", "--duration", 2, "--json", preamble=ignoring)
    ear.wait_for(NOTE_ON, 1)
    process.send_signal(signal.SIGHUP)
    code, out, _ = finish(process)
    summary = json.loads(out)
    assert (code, summary["frames"] + summary["dropped"]) == (0, 8)


def test_a_live_prompt_is_played_first_and_then_taken_over(ear: Any, start: Any, tmp_path: Path) -> None:
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(
        mido.MidiTrack([mido.Message("note_on", note=127), mido.Message("note_off", note=127, time=960)])
    )
    file.save(tmp_path / "phrase.mid")
    line = ["--port", "daw", "--mode", "continue", "--prompt", "phrase.mid", "--high", 100, "--duration", 3, "--json"]
    code, out, _ = finish(start(*line))
    assert (code, json.loads(out)["mode"]) == (0, "continue")
    pitches = ear.of_kind(NOTE_ON)
    assert pitches[0] == 127
    assert pitches.count(127) == 1
    assert len(pitches) > 1


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_every_note_is_ended_after_a_signal(ear: Any, start: Any, tmp_path: Path, name: str) -> None:
    def run() -> None:
        # A test run under nohup ignores SIGHUP, and so would what it starts.
        heeding = f"import signal; signal.signal(signal.{name}, signal.default_int_handler)\n"
        process = start("--port", "daw track", "--seed", 3, "--record", "take.mid", "--json", preamble=heeding)
        ear.wait_for(NOTE_ON, 12)
        while not ear.sounding():
            time.sleep(0.01)
        process.send_signal(getattr(signal, name))
        code, out, err = finish(process)
        assert code == 0
        assert json.loads(out)["notes"] >= 12
        assert "Traceback" not in err

    controlled(ear, run)
    assert ear.of_kind(NOTE_ON)
    assert not ear.sounding()
    assert ear.of_kind(CONTROL)[-2:] == [64, 123]
    take = mido.MidiFile(tmp_path / "take.mid")
    assert len([m for m in take.tracks[1] if m.type == "note_on"]) == len(
        [m for m in take.tracks[1] if m.type == "note_off"]
    )


def test_every_note_is_ended_after_a_crash_in_the_engine(ear: Any, start: Any, tmp_path: Path) -> None:
    def run() -> None:
        process = start("--port", "daw track", "--seed", 3, "--record", "take.mid", preamble=CRASHING)
        code, out, err = finish(process)
        assert (code, out) == (1, "")
        assert (
            err.splitlines()[-1]
            == "cgrnn-live: a fault of ours: ArithmeticError: injected (CGRNN_DEBUG=1 shows where)."
        )
        assert "Traceback" not in err

    controlled(ear, run)
    assert ear.of_kind(NOTE_ON)
    assert not ear.sounding()
    assert any(message.type == "note_on" for message in mido.MidiFile(tmp_path / "take.mid").tracks[1])


def test_a_recording_is_a_valid_file_even_after_sigkill(ear: Any, start: Any, tmp_path: Path) -> None:
    process = start("--port", "daw track", "--record", "take.mid")
    ear.wait_for(NOTE_ON, 3)
    process.kill()
    process.wait()
    assert len(mido.MidiFile(tmp_path / "take.mid").tracks) == 2


def test_a_full_disk_ends_in_one_sentence_and_a_valid_file(ear: Any, start: Any, tmp_path: Path) -> None:
    process = start("--port", "daw track", "--record", "take.mid", "--duration", 2, preamble=FULL_DISK)
    code, _, err = finish(process)
    assert code == 2
    assert err.count("take.mid cannot be written") == 1
    assert "Traceback" not in err
    assert ear.of_kind(NOTE_ON)
    assert len(mido.MidiFile(tmp_path / "take.mid").tracks) == 2


def test_a_daws_transport_is_not_recorded(ear: Any, start: Any, tmp_path: Path) -> None:
    process = start("--port", "daw track", "--duration", 2, "--record", "take.mid")
    assert "Playing into" in process.stderr.readline()
    transport = [(0xF2, 0, 16), (0xFA,), (0xFC,), (0xFB,)]
    played = [(NOTE_ON, 60, 90), (NOTE_OFF, 60, 0)]
    with sending("cgrnn-live in", iter([(0.05, message) for message in 3 * (transport + played)])):
        assert finish(process)[0] == 0
    player = mido.MidiFile(tmp_path / "take.mid").tracks[2]
    assert {message.type for message in player if not message.is_meta} == {"note_on", "note_off"}


def test_signals_while_the_ports_close_lose_nothing(ear: Any, start: Any, tmp_path: Path) -> None:
    process = start("--port", "daw", "--duration", 1, "--record", "take.mid", "--json", preamble=SIGNALLED)
    code, out, err = finish(process)
    assert (code, json.loads(out)["port"]) == (0, "daw:track")
    assert "Traceback" not in err
    assert ear.of_kind(CONTROL)[-2:] == [64, 123]
    assert begins(mido.MidiFile(tmp_path / "take.mid").tracks[1])


def test_bad_ports_are_one_sentence_with_the_near_matches(ear: Any, start: Any) -> None:
    for line, says in (
        (["--port", "daw trakc"], "near it: 'daw:track'"),
        (["--port", "zzz"], "there are 'daw:track'"),
        (["--port", "daw", "--input", "zzz"], "There is no MIDI input 'zzz'"),
    ):
        code, out, err = finish(start(*line))
        assert (code, out) == (2, "")
        assert says in err
        assert err.count("\n") == 1


def test_an_ambiguous_port_lists_all(ear: Any, start: Any) -> None:
    other = type(ear)("daw2", "track")
    try:
        code, _, err = finish(start("--port", "track"))
    finally:
        other.close()
    assert code == 2
    assert "'daw:track', 'daw2:track'" in err
