"""Shipped bundles, and finding one by name or path."""

from importlib import resources
from pathlib import Path

import pytest

from cgrnn_bundle.bundle import Bundle, BundleError, load, save
from cgrnn_bundle.shipped import find_bundle, shipped_bundles


@pytest.fixture
def package(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with two shipped bundles and a folder that is none."""
    models = tmp_path / "package" / "models"
    models.mkdir(parents=True)
    for name in ("pop909", "chorales"):
        save(bundle, models / name)
    (models / "notes").mkdir()
    monkeypatch.setattr(resources, "files", lambda package: models.parent)
    return models


@pytest.mark.parametrize("name", list(shipped_bundles()))
def test_every_shipped_bundle_loads_and_fits(name: str):
    path = shipped_bundles()[name]
    bundle = load(path)
    assert bundle.manifest.name == name
    assert bundle.card
    assert sum(file.stat().st_size for file in path.iterdir()) <= 10 << 20


def test_the_shipped_bundles_in_order(package: Path):
    assert shipped_bundles() == {"chorales": package / "chorales", "pop909": package / "pop909"}


def test_a_name_finds_the_shipped_bundle_even_beside_a_folder_of_that_name(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "pop909").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_bundle("pop909") == package / "pop909"
    assert find_bundle("./pop909") == Path("pop909")
    assert find_bundle(Path("pop909")) == Path("pop909")


def test_a_path_is_found(folder: Path):
    assert find_bundle(folder) == find_bundle(str(folder)) == folder


def test_an_unknown_name_lists_what_there_is_and_what_is_near(package: Path, folder: Path):
    with pytest.raises(BundleError, match=r"pop99 is missing, .*\(chorales, pop909\).* did you mean 'pop909'\?"):
        find_bundle("pop99")
    with pytest.raises(BundleError, match=r"did you mean 'tiny'\?"):
        find_bundle(folder.with_name("tinny"))
    with pytest.raises(BundleError, match="check the path"):
        find_bundle("x" * 5000)
