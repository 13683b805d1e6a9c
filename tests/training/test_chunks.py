"""Estimates in chunks: the same bits however they are interrupted, and a store that never mixes two estimates."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import safetensors.torch
import torch

from cgrnn_train.likelihood.chunks import in_chunks


def draw(rows: slice) -> dict[str, torch.Tensor]:
    count = rows.stop - rows.start
    return {"normal": torch.randn(count, 3, dtype=torch.double), "row": torch.arange(rows.start, rows.stop)}


def normal(rows: slice) -> dict[str, torch.Tensor]:
    return {"normal": draw(rows)["normal"]}


def folder(store: Path) -> Path:
    """The one key's folder in ``store``."""
    (found,) = [path for path in store.iterdir() if path.is_dir()]
    return found


class Interrupted:
    """An estimate that fails at one chunk, and counts the calls."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.starts = at, list[int]()

    def __call__(self, rows: slice) -> dict[str, torch.Tensor]:
        self.starts.append(rows.start)
        if rows.start == self.at:
            raise KeyboardInterrupt
        return draw(rows)


def test_rows_come_back_in_order():
    done = list[int]()
    found = in_chunks(8, 3, draw, progress=done.append)
    assert found["row"].tolist() == list(range(8))
    assert found["normal"].shape == (8, 3)
    assert done == [3, 3, 2]
    assert len(found["normal"].unique()) == 24  # each chunk has random numbers of its own


def test_only_the_seed_decides_and_torch_s_generator_is_left_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = in_chunks(8, 3, draw, seed=5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(in_chunks(8, 3, draw, seed=5)["normal"], one["normal"])
    assert not torch.equal(in_chunks(8, 3, draw, seed=6)["normal"], one["normal"])


@pytest.mark.parametrize("at", [0, 3, 6])
def test_resumed_after_an_exception_it_is_the_same_to_the_bit(tmp_path, at):
    whole = in_chunks(8, 3, draw, seed=5)
    store = tmp_path / "store"
    with pytest.raises(KeyboardInterrupt):
        in_chunks(8, 3, Interrupted(at), seed=5, store=store, key={"temperatures": 10})
    second = Interrupted()
    found = in_chunks(8, 3, second, seed=5, store=store, key={"temperatures": 10})
    assert second.starts == [start for start in (0, 3, 6) if start >= at]
    assert all(torch.equal(found[name], whole[name]) for name in whole)
    third = Interrupted()
    assert torch.equal(in_chunks(8, 3, third, seed=5, store=store, key={"temperatures": 10})["normal"], whole["normal"])
    assert third.starts == []


@pytest.mark.parametrize(
    ("rows", "chunk", "seed", "key"),
    [(8, 3, 5, {"temperatures": 11}), (8, 4, 5, {"temperatures": 10}), (8, 3, 6, {"temperatures": 10}), (9, 3, 5, {})],
)
def test_another_key_begins_anew(tmp_path, rows, chunk, seed, key):
    in_chunks(8, 3, draw, seed=5, store=tmp_path / "store", key={"temperatures": 10})
    estimate = Interrupted()
    found = in_chunks(rows, chunk, estimate, seed=seed, store=tmp_path / "store", key=key)
    assert estimate.starts == list(range(0, rows, chunk))
    assert torch.equal(found["normal"], in_chunks(rows, chunk, draw, seed=seed)["normal"])


SCRIPT = """
    import sys, time, torch
    from pathlib import Path
    from cgrnn_train.likelihood.chunks import in_chunks

    def estimate(rows):
        value = torch.randn(rows.stop - rows.start, 3, dtype=torch.double)
        if rows.start == 6:  # in flight when the signal comes
            print("ready", flush=True)
            time.sleep(60)
        return {"normal": value}

    in_chunks(12, 3, estimate, seed=5, store=Path(sys.argv[1]), key={"weights": "digest"})
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_killed_and_resumed_it_is_the_same_to_the_bit(tmp_path, number):
    store = tmp_path / "store"
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(10) == -number
    estimate = Interrupted()
    found = in_chunks(12, 3, estimate, seed=5, store=store, key={"weights": "digest"})
    assert estimate.starts == [6, 9]  # what was finished is not done again
    assert torch.equal(found["normal"], in_chunks(12, 3, draw, seed=5)["normal"])


def test_half_a_file_is_not_taken_for_a_chunk(tmp_path):
    """A kill while a chunk is written leaves a file under another name, which no later process need have the id for."""
    store = tmp_path / "store"
    with pytest.raises(KeyboardInterrupt):
        in_chunks(8, 3, Interrupted(3), seed=5, store=store)
    (folder(store) / f".000000003.safetensors.{os.getpid()}.tmp").write_bytes(b"half")
    (folder(store) / ".000000006.safetensors.1.tmp").write_bytes(b"half")
    assert torch.equal(in_chunks(8, 3, draw, seed=5, store=store)["normal"], in_chunks(8, 3, draw, seed=5)["normal"])


def test_the_store_says_what_it_holds(tmp_path):
    in_chunks(8, 3, draw, seed=5, store=tmp_path / "store", key={"temperatures": 10})
    text = (folder(tmp_path / "store") / "key.json").read_bytes()
    assert json.loads(text) == {"rows": 8, "chunk": 3, "seed": 5, "temperatures": 10}
    assert folder(tmp_path / "store").name == hashlib.sha256(text).hexdigest()[:16]


def test_another_key_and_foreign_files_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "key.json").write_text("{}")
    in_chunks(8, 3, draw, seed=5, store=tmp_path, key={"temperatures": 10})
    in_chunks(8, 3, draw, seed=5, store=tmp_path, key={"temperatures": 11})
    again = Interrupted()
    in_chunks(8, 3, again, seed=5, store=tmp_path, key={"temperatures": 10})
    assert again.starts == []
    assert len(list(tmp_path.glob("*/key.json"))) == 2
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert (tmp_path / "key.json").read_text() == "{}"


def truncated(content: bytes) -> bytes:
    return content[:-5]


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def nothing(_: bytes) -> bytes:
    return b""


def noise(content: bytes) -> bytes:
    return bytes(range(len(content) % 256))


def too_few_rows(_: bytes) -> bytes:
    return safetensors.torch.save(draw(slice(3, 5)))


@pytest.mark.parametrize("damage", [truncated, flipped, nothing, noise, too_few_rows])
def test_a_damaged_chunk_is_computed_again(tmp_path, damage):
    whole = in_chunks(8, 3, draw, seed=5, store=tmp_path)
    kept = folder(tmp_path) / "000000003.safetensors"
    sound = kept.read_bytes()
    kept.write_bytes(damage(sound))
    estimate = Interrupted()
    found = in_chunks(8, 3, estimate, seed=5, store=tmp_path)
    assert estimate.starts == [3]
    assert all(torch.equal(found[name], whole[name]) for name in whole)
    assert kept.read_bytes() == sound


def test_a_chunk_under_the_name_of_another_is_computed_again(tmp_path):
    whole = in_chunks(9, 3, draw, seed=5, store=tmp_path)
    (folder(tmp_path) / "000000000.safetensors").replace(folder(tmp_path) / "000000003.safetensors")
    found = in_chunks(9, 3, draw, seed=5, store=tmp_path)
    assert all(torch.equal(found[name], whole[name]) for name in whole)


def test_a_row_may_stand_for_many(tmp_path):
    """Pieces of many frames: what is kept of them is found again."""

    def pieces(rows: slice) -> dict[str, torch.Tensor]:
        return {"frame": torch.cat([torch.full((row + 1,), row) for row in range(rows.start, rows.stop)])}

    for _ in range(2):
        found = in_chunks(4, 1, pieces, store=tmp_path)
        assert found["frame"].tolist() == [0, 1, 1, 2, 2, 2, 3, 3, 3, 3]
        pieces = Interrupted(0)  # it is not called again


@pytest.mark.parametrize("whole_store", [True, False])
def test_a_store_that_vanishes_is_made_again(tmp_path, whole_store):
    """As when another process has finished the same estimate and removed it."""
    store = tmp_path / "runs" / "store"

    def estimate(rows: slice) -> dict[str, torch.Tensor]:
        if rows.start == 3:
            shutil.rmtree(store.parent if whole_store else folder(store))
        return draw(rows)

    found = in_chunks(8, 3, estimate, seed=5, store=store)
    assert torch.equal(found["normal"], in_chunks(8, 3, draw, seed=5)["normal"])
    assert sorted(path.name for path in folder(store).iterdir()) == [
        "000000003.safetensors",
        "000000006.safetensors",
        "key.json",
    ]


def test_a_store_that_vanishes_while_a_chunk_is_written_is_made_again(tmp_path, monkeypatch):
    fsync, calls = os.fsync, list[int]()

    def fsync_late(file: int) -> None:
        calls.append(file)
        fsync(file)
        if len(calls) in (1, 3):  # key.json, then a chunk, before they have their names
            shutil.rmtree(tmp_path / "store")

    monkeypatch.setattr(os, "fsync", fsync_late)
    found = in_chunks(3, 3, draw, seed=5, store=tmp_path / "store")
    assert len(calls) == 5
    again = Interrupted()
    assert torch.equal(in_chunks(3, 3, again, seed=5, store=tmp_path / "store")["normal"], found["normal"])
    assert again.starts == []


TWO = """
    import shutil, sys, torch
    from pathlib import Path
    from safetensors.torch import save_file
    from cgrnn_train.likelihood.chunks import in_chunks

    def estimate(rows):
        return {"normal": torch.randn(rows.stop - rows.start, 3, dtype=torch.double)}

    store, out = map(Path, sys.argv[1:])
    print("ready", flush=True)
    for seed in map(int, sys.stdin):
        save_file(in_chunks(60, 3, estimate, seed=seed, store=store, key={}), out / f"{seed}.safetensors")
        shutil.rmtree(store, ignore_errors=True)
"""


def test_two_processes_share_a_store_and_remove_it(tmp_path):
    """Twenty estimates at once on one store; who has finished removes it under the other."""
    outs = [tmp_path / "first", tmp_path / "second"]
    processes = list[subprocess.Popen[str]]()
    for out in outs:
        out.mkdir()
        command = [sys.executable, "-c", textwrap.dedent(TWO), str(tmp_path / "store"), str(out)]
        processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("".join(f"{seed}\n" for seed in range(20)))
        process.stdin.close()
    for process in processes:
        with process:
            assert process.wait(60) == 0
    for seed in range(20):
        expected = in_chunks(60, 3, normal, seed=seed)["normal"]
        for out in outs:
            assert torch.equal(safetensors.torch.load_file(out / f"{seed}.safetensors")["normal"], expected)


def test_nothing_to_do_is_an_error():
    with pytest.raises(ValueError, match="found 0 rows in chunks of 3; expected at least one of each"):
        in_chunks(0, 3, draw)
