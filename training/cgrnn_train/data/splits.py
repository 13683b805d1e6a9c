"""Which pieces train, validate and test: a seeded split by group, so that no group lies on two sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from cgrnn_train.data.store import Split

SHARES = "0.9/0.05/0.05"
"""Of the pieces to train, valid, test: the CGRNN paper's."""

VALID_FROM, TEST_FROM = 0.9, 0.95


def split_by_group(names: Sequence[str], seed: int, group: Callable[[str], str] = str) -> dict[str, Split]:
    """Return each name's split: groups in seeded order, cut where 0.9 and 0.95 of the names lie before.

    group: from a name to what may not be divided, such as its artist; by default each name is its own group. A group
    goes where its middle falls, so the shares are as near as the groups' sizes allow.
    """
    sizes = Counter(map(group, names))
    groups = sorted(sizes)
    np.random.default_rng(seed).shuffle(groups)
    split_of: dict[str, Split] = {}
    before = 0
    for each in groups:
        middle = (before + sizes[each] / 2) / len(names)
        split_of[each] = "train" if middle < VALID_FROM else "valid" if middle < TEST_FROM else "test"
        before += sizes[each]
    return {name: split_of[group(name)] for name in names}


def split_each_by_group(
    names: Sequence[str], seed: int, group: Callable[[str], str], part: Callable[[str], str]
) -> dict[str, Split]:
    """Return each name's split as `split_by_group`, within each part on its own: so that none lies on one side alone.

    part: from a name to what is to be on all sides, such as its instrument.
    """
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(part(name), []).append(name)
    return {name: split for each in parts.values() for name, split in split_by_group(each, seed, group).items()}
