"""Saving and loading: round trips, and the golden bytes that FORMAT.md promises."""

import base64
import dataclasses
import hashlib
import os
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cgrnn_bundle.bundle import Bundle, BundleError, Manifest, Metric, Probe, Sizes, Training, load, save
from cgrnn_bundle.frames import FrameSpec

# Three Identity nodes: state -> next_state, frame -> visible_bias, spike_slab -> hidden_bias; V = 128, H = U = 1.
GOLDEN_TRANSITION = base64.b64decode(
    "CAg6lwIKHQoFc3RhdGUSCm5leHRfc3RhdGUiCElkZW50aXR5Ch8KBWZyYW1lEgx2aXNpYmxlX2JpYXMiCElkZW50aXR5CiMKCnNwaWtlX3NsYWIS"
    "C2hpZGRlbl9iaWFzIghJZGVudGl0eRIBZ1oYCgVmcmFtZRIPCg0IARIJCgIIAQoDCIABWhwKCnNwaWtlX3NsYWISDgoMCAESCAoCCAEKAggBWhcK"
    "BXN0YXRlEg4KDAgBEggKAggBCgIIAWIcCgpuZXh0X3N0YXRlEg4KDAgBEggKAggBCgIIAWIfCgx2aXNpYmxlX2JpYXMSDwoNCAESCQoCCAEKAwiA"
    "AWIdCgtoaWRkZW5fYmlhcxIOCgwIARIICgIIAQoCCAFCBAoAEBE="
)
GOLDEN_ARRAYS = {
    "weight": np.arange(128, dtype=np.float32)[:, np.newaxis],
    "slab_precision": np.array([2], np.float32),
    "slab_mean": np.array([-1], np.float32),
    "initial_state": np.array([0.5], np.float32),
    "initial_visible_bias": np.full(128, -3, np.float32),
    "initial_hidden_bias": np.array([0.25], np.float32),
    "probe.frame": np.eye(1, 128, 60, dtype=np.float32),
    "probe.spike_slab": np.array([[1.5]], np.float32),
    "probe.next_state": np.array([[0.5]], np.float32),
    "probe.visible_bias": np.eye(1, 128, 60, dtype=np.float32),
    "probe.hidden_bias": np.array([[1.5]], np.float32),
}
GOLDEN_HEADER = (
    '{"initial_hidden_bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
    '"initial_state":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},'
    '"initial_visible_bias":{"dtype":"F32","shape":[128],"data_offsets":[8,520]},'
    '"probe.frame":{"dtype":"F32","shape":[1,128],"data_offsets":[520,1032]},'
    '"probe.hidden_bias":{"dtype":"F32","shape":[1,1],"data_offsets":[1032,1036]},'
    '"probe.next_state":{"dtype":"F32","shape":[1,1],"data_offsets":[1036,1040]},'
    '"probe.spike_slab":{"dtype":"F32","shape":[1,1],"data_offsets":[1040,1044]},'
    '"probe.visible_bias":{"dtype":"F32","shape":[1,128],"data_offsets":[1044,1556]},'
    '"slab_mean":{"dtype":"F32","shape":[1],"data_offsets":[1556,1560]},'
    '"slab_precision":{"dtype":"F32","shape":[1],"data_offsets":[1560,1564]},'
    '"weight":{"dtype":"F32","shape":[128,1],"data_offsets":[1564,2076]}}'
)
GOLDEN_ZIP_SHA256 = "3867c2a4b7fe57f1cee2d2ccc69ca9412a21f73071a97447e478771bd793846f"


@pytest.fixture
def golden() -> Bundle:
    manifest = Manifest(
        name="golden",
        frame=FrameSpec(),
        sizes=Sizes(hidden=1, state=1),
        feed="full",
        spike_slab_feed="mean",
        low=21,
        high=108,
        training=Training("none", "CC0-1.0", "by hand", 0, "2026-11-22", "0.1.0"),
        metrics=(Metric("LL", -6, "exact", "none", "by hand"),),
        probe=Probe(steps=1),
    )
    return Bundle(manifest, GOLDEN_TRANSITION, GOLDEN_ARRAYS, "# Golden\n")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_same(found: Bundle, expected: Bundle) -> None:
    assert (found.manifest, found.transition, found.card) == (expected.manifest, expected.transition, expected.card)
    assert found.arrays.keys() == expected.arrays.keys()
    for name, values in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], values)


def test_golden_folder(golden: Bundle, tmp_path: Path):
    save(golden, tmp_path / "golden")
    files = contents(tmp_path / "golden")
    assert sorted(files) == ["README.md", "cssrbm.safetensors", "manifest.json", "transition.onnx"]
    assert files["README.md"] == b"# Golden\n"
    assert files["transition.onnx"] == GOLDEN_TRANSITION
    header = GOLDEN_HEADER.encode() + b" " * (-len(GOLDEN_HEADER) % 8)
    body = b"".join(GOLDEN_ARRAYS[name].astype("<f4").tobytes() for name in sorted(GOLDEN_ARRAYS))
    assert files["cssrbm.safetensors"] == len(header).to_bytes(8, "little") + header + body
    assert files["manifest.json"].decode() == Path(__file__).with_name("golden_manifest.json").read_text("utf-8")


def test_golden_zip(golden: Bundle, tmp_path: Path):
    save(golden, tmp_path / "golden.zip")
    assert hashlib.sha256((tmp_path / "golden.zip").read_bytes()).hexdigest() == GOLDEN_ZIP_SHA256


@pytest.mark.parametrize("name", ["tiny", "tiny.zip", "tiny.ZIP", "two words é"])
def test_round_trip(bundle: Bundle, tmp_path: Path, name: str):
    save(bundle, tmp_path / name)
    loaded = load(tmp_path / name)
    assert_same(loaded, bundle)
    assert (tmp_path / name).is_file() == name.lower().endswith(".zip")
    assert all(not values.flags.writeable and values.dtype == np.float32 for values in loaded.arrays.values())


def test_saving_again_gives_the_same_bytes(bundle: Bundle, folder: Path, tmp_path: Path):
    whole = dataclasses.replace(bundle, manifest=dataclasses.replace(bundle.manifest, temperature=1))
    save(whole, folder)
    save(load(folder), tmp_path / "again")
    assert contents(tmp_path / "again") == contents(folder)


def test_the_order_of_arrays_and_their_layout_in_memory_do_not_show(bundle: Bundle, folder: Path, tmp_path: Path):
    turned = {name: np.asfortranarray(bundle.arrays[name]) for name in reversed(bundle.arrays)}
    save(dataclasses.replace(bundle, arrays=turned), tmp_path / "turned")
    assert contents(tmp_path / "turned") == contents(folder)


def test_a_bundle_without_a_card(bundle: Bundle, tmp_path: Path):
    save(dataclasses.replace(bundle, card=None), tmp_path / "tiny")
    assert not (tmp_path / "tiny" / "README.md").exists()
    assert load(tmp_path / "tiny").card is None


def test_a_zip_packed_by_another_program(folder: Path, bundle: Bundle, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    assert_same(load(tmp_path / "other.zip"), bundle)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_to_a_bundle_is_followed(bundle: Bundle, folder: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to(folder)
    save(dataclasses.replace(bundle, card="new"), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert load(folder).card == "new"


@pytest.mark.parametrize("name", ["tiny", "tiny.zip"])
def test_save_replaces_a_bundle_and_leaves_nothing_beside_it(bundle: Bundle, tmp_path: Path, name: str):
    for card in ("old", "new"):
        save(dataclasses.replace(bundle, card=card), tmp_path / name)
    assert load(tmp_path / name).card == "new"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_save_fills_an_empty_folder(bundle: Bundle, tmp_path: Path):
    (tmp_path / "tiny").mkdir()
    save(bundle, tmp_path / "tiny")
    assert_same(load(tmp_path / "tiny"), bundle)


@pytest.mark.parametrize("name", ["songs", "songs.zip"])
def test_save_replaces_nothing_but_a_bundle(bundle: Bundle, tmp_path: Path, name: str):
    song = tmp_path / name / "song.mid"
    song.parent.mkdir()
    song.write_bytes(b"MThd")
    with pytest.raises(BundleError, match="there already and no bundle.*manifest.json is missing"):
        save(bundle, tmp_path / name)
    assert song.read_bytes() == b"MThd"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_save_into_a_folder_that_is_missing(bundle: Bundle, tmp_path: Path):
    with pytest.raises(BundleError, match="'.*models' does not exist, .* create it"):
        save(bundle, tmp_path / "models" / "tiny")


@pytest.mark.parametrize("name", ["tiny", "tiny.zip"])
def test_a_full_disk_leaves_the_old_bundle(bundle: Bundle, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    save(bundle, tmp_path / name)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(dataclasses.replace(bundle, card="new"), tmp_path / name)
    assert_same(load(tmp_path / name), bundle)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_failed_rename_puts_the_old_bundle_back(bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        save(dataclasses.replace(bundle, card="new"), folder)
    assert_same(load(folder), bundle)


def test_save_refuses_what_load_would(bundle: Bundle, tmp_path: Path):
    manifest, arrays = bundle.manifest, bundle.arrays
    wrong = {
        "sizes.hidden": dataclasses.replace(bundle, manifest=dataclasses.replace(manifest, sizes=Sizes(0, 4))),
        "temperature is nan": dataclasses.replace(
            bundle, manifest=dataclasses.replace(manifest, temperature=float("nan"))
        ),
        "manifest.json": dataclasses.replace(bundle, manifest=dataclasses.replace(manifest, sweeps=np.int64(3))),
        "weight": dataclasses.replace(bundle, arrays={**arrays, "weight": arrays["weight"].astype(np.float64)}),
        "weight.shape": dataclasses.replace(bundle, arrays={**arrays, "weight": arrays["weight"].T}),
        "slab_mean": dataclasses.replace(bundle, arrays={k: v for k, v in arrays.items() if k != "slab_mean"}),
        "'extra'": dataclasses.replace(bundle, arrays={**arrays, "extra": arrays["slab_mean"]}),
        "transition.onnx": dataclasses.replace(bundle, transition=b"\x80\x04N."),
        "README.md": dataclasses.replace(bundle, card="\ud800"),
    }
    for name, broken in wrong.items():
        with pytest.raises(BundleError, match=name):
            save(broken, tmp_path / "broken")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_path_lists_near_matches(folder: Path):
    with pytest.raises(BundleError, match="tinny: the path is missing, .* did you mean 'tiny'"):
        load(folder.with_name("tinny"))
    with pytest.raises(BundleError, match="missing, .*: check the path"):
        load(folder / "nowhere" / "tiny")


def test_unverified_loading_skips_the_hashes_alone(folder: Path):
    card = folder / "README.md"
    card.write_bytes(card.read_bytes().swapcase())  # of ASCII
    assert load(folder, verify=False).card == "# tINY\n\ntHREE CHORDS, DéCOUPéS.\n"
    with pytest.raises(BundleError, match="README.md"):
        load(folder)
    card.write_bytes(b"longer than before, which needs no hash to tell")
    with pytest.raises(BundleError, match="README.md"):
        load(folder, verify=False)
