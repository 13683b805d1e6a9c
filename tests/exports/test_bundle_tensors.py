"""The safetensors reader and writer against the `safetensors` package, both ways."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from cgrnn_bundle.errors import BundleError
from cgrnn_bundle.tensorfile import read_tensors, write_tensors

TENSORS = st.dictionaries(
    st.from_regex(r"[a-z][a-z._]{0,20}", fullmatch=True),
    arrays_of.arrays(np.float32, arrays_of.array_shapes(min_dims=1, max_dims=3, max_side=5)),
    min_size=1,
    max_size=6,
)


@given(TENSORS)
def test_our_bytes_are_those_of_the_package(arrays: dict[str, np.ndarray]):
    assert write_tensors(arrays) == safetensors.numpy.save(arrays)


@given(TENSORS)
def test_we_read_what_the_package_writes(arrays: dict[str, np.ndarray]):
    shapes = {name: values.shape for name, values in arrays.items()}
    found = read_tensors(safetensors.numpy.save(arrays), shapes, "file")
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values)


def test_the_package_reads_the_arrays_of_a_bundle(folder: Path, bundle):
    found = safetensors.numpy.load_file(folder / "cssrbm.safetensors")
    assert found.keys() == bundle.arrays.keys()
    for name, values in bundle.arrays.items():
        np.testing.assert_array_equal(found[name], values)


def test_metadata_are_refused():
    data = safetensors.numpy.save({"a": np.zeros(1, np.float32)}, metadata={"format": "np"})
    with pytest.raises(BundleError, match="file: '__metadata__' is unknown"):
        read_tensors(data, {"a": (1,)}, "file")
