"""Files that are there whole or not at all."""

import json

import pytest

from cgrnn_train.files import write_json, write_whole


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("before", encoding="utf-8")
    write_json(path, {"one": 1})
    assert json.loads(path.read_text(encoding="utf-8")) == {"one": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(TypeError):
        write_json(path, {"one": object()})
    with pytest.raises(TypeError):
        write_whole(path, "text")  # pyright: ignore[reportArgumentType]
    assert path.read_text(encoding="utf-8") == "before"


@pytest.mark.parametrize("name", ["Für Elise", "cl\udce9s"])  # the second as a file name that is no UTF-8 comes
def test_any_name_of_a_file_comes_back(name, tmp_path):
    write_json(tmp_path / "a.json", name)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == name
