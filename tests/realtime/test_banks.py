"""A bank that is recalled plays on as it did when it was saved."""

from cgrnn_live.banks import RECALL, SAVE, Banks
from cgrnn_live.clock import Arrival
from cgrnn_live.ledger import CONTROL


class Counter:
    """Something with a state."""

    def __init__(self) -> None:
        self.value = 0

    def snapshot(self) -> dict[str, int]:
        return {"value": self.value}

    def restore(self, snapshot: dict[str, int]) -> None:
        self.value = snapshot["value"]


def say(banks: Banks, *message: int) -> None:
    banks.hear(Arrival(0, message))


def test_each_bank_holds_all_parts_as_they_were() -> None:
    one, two = Counter(), Counter()
    banks = Banks(one, two)
    one.value, two.value = 1, 2
    say(banks, CONTROL, SAVE, 5)
    one.value, two.value = 3, 4
    say(banks, CONTROL | 9, SAVE, 127)
    one.value = two.value = 0
    say(banks, CONTROL | 3, RECALL, 5)
    assert (one.value, two.value) == (1, 2)
    say(banks, CONTROL, RECALL, 127)
    assert (one.value, two.value) == (3, 4)


def test_what_is_empty_or_no_controller_changes_nothing() -> None:
    part = Counter()
    banks = Banks(part)
    say(banks, CONTROL, SAVE, 1)
    part.value = 7
    for message in ((CONTROL, RECALL, 2), (0x90, RECALL, 1), (CONTROL, 29, 1), (0xC0, RECALL), (0xF8,)):
        say(banks, *message)
    assert part.value == 7
