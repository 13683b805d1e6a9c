"""The messages that change the settings, and the settings themselves."""

import json

from cgrnn_bundle.frames import FrameSpec
from cgrnn_live.clock import MILLISECOND, Arrival, OfflineClock
from cgrnn_live.constraints import Constraints
from cgrnn_live.controls import AVOID, DENSITY, HIGHEST, LOWEST, TEMPERATURE, TRANSPOSE, VOICES, Controls
from cgrnn_live.lateness import Effort
from cgrnn_live.ledger import ALL_NOTES_OFF, CONTROL, NOTE_ON, Ledger
from cgrnn_live.listener import Listener
from cgrnn_live.player import Player
from cgrnn_live.roles import Accompaniment
from cgrnn_live.settings import Settings
from stage import Scripted, turn


def test_each_controller() -> None:
    settings = Settings()
    controls = Controls(settings, own_temperature=0.8)

    def at(number: int, *values: int) -> list[tuple[object, ...]]:
        found: list[tuple[object, ...]] = []
        for value in values:
            assert controls.hear((CONTROL | 5, number, value))
            snapshot = {k: round(v, 6) if isinstance(v, float) else v for k, v in settings.snapshot().items()}
            found.append(tuple(v for k, v in snapshot.items() if v != getattr(Settings(), k)))
        controls.hear((CONTROL, number, {LOWEST: 0, HIGHEST: 127, VOICES: 0, AVOID: 0}.get(number, 64)))
        return found

    assert at(DENSITY, 0, 64, 127) == [(0.1,), (), (10.0,)]
    assert at(TEMPERATURE, 0, 64, 127) == [(0.2,), (0.8,), (3.2,)]
    settings.temperature = None
    assert at(LOWEST, 50) == [(50,)]
    assert at(HIGHEST, 50) == [(50,)]
    assert at(VOICES, 3, 0) == [(3,), ()]
    assert at(TRANSPOSE, 0, 63, 64, 65, 127) == [(-24,), (-1,), (), (1,), (24,)]
    assert at(AVOID, 2, 127) == [(2,), (24,)]
    assert not controls.hear((CONTROL, 19, 5))
    assert not controls.hear((CONTROL, 27, 5))


def test_a_range_without_a_pitch_keeps_the_last_that_had_one() -> None:
    settings = Settings(60, 72, frozenset({0}))
    controls = Controls(settings, 1.0)
    for number, value in [(LOWEST, 73), (HIGHEST, 59), (LOWEST, 61), (HIGHEST, 71)]:
        controls.hear((CONTROL, number, value))
    assert (settings.low, settings.high) == (61, 72)


def test_keys_on_the_control_channel_are_a_chord_while_they_are_held() -> None:
    settings = Settings(classes=frozenset({1}))
    controls = Controls(settings, 1.0, channel=16)
    chords = []
    for message in [(0x9F, 60, 9), (0x9F, 76, 9), (0x9F, 76, 0), (0x8F, 60, 0), (0x9F, 61, 1), (CONTROL, 123, 0)]:
        controls.hear(message)
        chords.append(settings.chord and sorted(settings.chord))
    assert chords == [[0], [0, 4], [0], None, [1], None]
    assert controls.hear((0x9F, 60, 9))
    assert not controls.hear((0x9E, 60, 9)), "the music's channel"


def test_keys_of_the_chord_are_not_heard_and_bound_the_model() -> None:
    clock = OfflineClock(0.25, [Arrival(300 * MILLISECOND, (NOTE_ON | 1, 50, 64)), turn(900, ALL_NOTES_OFF, 0)])
    settings, listener, inner = Settings(), Listener(FrameSpec(0.25)), Scripted(clock)
    sent: list[int] = []
    player = Player(
        inner,
        Constraints(settings, listener),
        clock,
        Ledger(lambda message, at: sent.append(message[1]) if message[0] == NOTE_ON else None),
        Effort(10),
        role=Accompaniment(model_plays=True),
        listener=listener,
        controls=Controls(settings, 1.0, channel=2),
    )
    player.run(6)
    assert sent == [60, 61, 62, 64, 65]  # 63 is no D, and 62 is one
    assert inner.heard == [[60], [61], [62], [], [64]]


def test_settings_go_through_json_and_back() -> None:
    settings = Settings(40, 90, frozenset({0, 7}), frozenset({4}), 0.5, 3, -5, 1.2, 2)
    saved = json.loads(json.dumps(settings.snapshot()))
    other = Settings()
    other.restore(saved)
    assert other == settings
    assert other.snapshot() == settings.snapshot()
