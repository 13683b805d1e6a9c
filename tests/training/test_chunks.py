"""Estimates in chunks: the same bits however they are interrupted, and a store that never mixes two estimates."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest
import torch

from cgrnn_train.likelihood.chunks import in_chunks


def draw(rows: slice) -> dict[str, torch.Tensor]:
    count = rows.stop - rows.start
    return {"normal": torch.randn(count, 3, dtype=torch.double), "row": torch.arange(rows.start, rows.stop)}


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
    """A kill while a chunk is written leaves a file under another name."""
    store = tmp_path / "store"
    with pytest.raises(KeyboardInterrupt):
        in_chunks(8, 3, Interrupted(3), seed=5, store=store)
    (store / ".000000003.safetensors.tmp").write_bytes(b"half")
    assert torch.equal(in_chunks(8, 3, draw, seed=5, store=store)["normal"], in_chunks(8, 3, draw, seed=5)["normal"])


def test_the_store_says_what_it_holds(tmp_path):
    in_chunks(8, 3, draw, seed=5, store=tmp_path / "store", key={"temperatures": 10})
    key = json.loads((tmp_path / "store" / "key.json").read_text())
    assert key == {"rows": 8, "chunk": 3, "seed": 5, "temperatures": 10}


def test_a_folder_of_something_else_is_not_emptied(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"found files but no key.json; expected an empty folder or a store"):
        in_chunks(8, 3, draw, store=tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_nothing_to_do_is_an_error():
    with pytest.raises(ValueError, match="found 0 rows in chunks of 3; expected at least one of each"):
        in_chunks(0, 3, draw)
