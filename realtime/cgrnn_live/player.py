"""The real-time loop: one thread that samples ahead, commits each frame at its absolute deadline, and owns the output.

    cut-off n             due n                        cut-off n + 1      due n + 1
    ───┬────────────────────┬────────────────────────────────┬────────────────┬───
       close interval n−1   send frame n                     close interval n send frame n + 1
       advance, sample n                                     advance, ...

Alone, the model knows what is heard in an interval as soon as it has sent the frame: the next cut-off follows at
once, and sampling has a whole frame's time. Listening, the cut-off is `LOOKAHEAD` before the deadline, so that the
player is heard until then.

Where the model's role keeps what the player holds, those notes are clamped in the frame that is sampled, and left out
of what is sent: they sound already. A key that is struck takes its note over from the model at once. What the
constraints of the moment do not allow is left out too, whenever the frame was sampled; only a prompt is played as it
is.

Where the clock follows a song, its messages come among the others and move the deadlines, and the loop looks again
after each. When the song stops or jumps the model falls silent at once, closes what it has played, and goes on with the
first frame of the place where the song goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from cgrnn_live.clock import MILLISECOND, Arrival, Clock, Stopped
from cgrnn_live.lateness import Effort, Report
from cgrnn_live.ledger import Ledger, Message, Send
from cgrnn_live.listener import Listener, is_panic, is_pedal
from cgrnn_live.roles import Free, Role, no_notes
from cgrnn_live.sampler import ON

if TYPE_CHECKING:
    from cgrnn_live.controls import Controls
    from cgrnn_live.engine import Evidence
    from cgrnn_live.touch import Touch

Frame = NDArray[np.bool_]

Hear = Callable[[Arrival], None]
"""Takes in a message."""

LOOKAHEAD = 20 * MILLISECOND
"""From the last thing heard to the frame that answers it: several times what a step takes."""

REST = 100 * MILLISECOND
"""Between two looks at a song that stands."""

COLUMNS = 64
"""Intervals that are kept for whoever shows them; they look several times a second."""

RESET: Message = (0xFF,)
"""MIDI's System Reset: that the receiver may have missed anything, as one has that was away (`connections`)."""


class Improviser(Protocol):
    """What the player asks of `engine.Engine`."""

    def sample(self, evidence: Evidence, sweeps: int | None = None) -> Frame:
        """Draw the frame to play, (128,) booleans."""
        ...

    def advance(self, heard: Frame) -> None:
        """Close the interval with what was heard in it, (128,) booleans."""
        ...


class Bounds(Protocol):
    """What the player asks of `engine.Evidence`, or of `constraints.Constraints`, which change."""

    def holding(self, held: Iterable[int]) -> Evidence:
        """Return what a frame may hold now, the pitches ``held`` on; it changes by what arrives, and with intervals."""
        ...


class Player:
    """Plays an improviser through a ledger on a clock, frame after frame."""

    def __init__(
        self,
        improviser: Improviser,
        bounds: Bounds,
        clock: Clock,
        ledger: Ledger,
        effort: Effort,
        *,
        prompt: Sequence[Frame] = (),
        role: Role | None = None,
        listener: Listener | None = None,
        controls: Controls | None = None,
        others: Sequence[Hear] = (),
        touch: Touch | None = None,
        passes_pedal: bool = False,
        monitor: Send = lambda message, at: None,
    ) -> None:
        """Play ``prompt``, then improvise: alone or, with ``role`` and ``listener``, with whoever plays.

        ``controls`` take the messages that are for them, ``others`` hear all but the clock's, ``touch`` says how hard
        to strike, if not the ledger, and with ``passes_pedal`` the player's sustain pedal is the ledger's too.
        ``monitor`` is given every message that arrives.
        """
        self._improviser = improviser
        self._bounds = bounds
        self._clock = clock
        self._ledger = ledger
        self._effort = effort
        self._prompt = prompt
        self._role = role or Free()
        self._listener = listener
        self._controls = controls
        self._others = others
        self._touch = touch
        self._passes_pedal = passes_pedal
        self._monitor = monitor
        self._played: Frame = no_notes()
        self._evidence: Evidence | None = None  # what the last frame was sampled for, while nothing has arrived since
        self._is_open = False  # a frame was due whose interval is not closed yet
        self._count = 0  # frames that were due so far
        self.waits = not clock.is_running
        """Whether the song stands that the clock follows."""
        self.next_due = 0
        """When the next frame is due, on the clock's axis; or was, where the song stands."""
        self.report = Report()
        self.columns: deque[tuple[Frame, Frame]] = deque(maxlen=COLUMNS)
        """What the model and the player sounded in each interval that is over, (128,); to be taken from its left."""

    def run(self, frame_count: int | None = None) -> Report:
        """Play ``frame_count`` frames, or until `stop`; however that goes, every sounding note is ended."""
        try:
            with suppress(Stopped):
                self._clock.start()
                if self._listener is not None:
                    self._listener.open(min(self._clock.now(), self._clock.due(-1)))
                self._play(frame_count)
        finally:
            self._ledger.close(self._clock.now())
        return self.report

    def stop(self) -> None:
        """Make `run` return soon; safe from signal handlers and other threads."""
        self._clock.stop()

    @property
    def model_plays(self) -> bool:
        """Whether the model plays now."""
        return self._role.model_plays

    @property
    def notes(self) -> int:
        """Notes that the model has begun so far."""
        return self._ledger.notes

    @property
    def sounding(self) -> tuple[Iterable[int], Iterable[int]] | None:
        """The pitches that the model sounds and those that the player holds, in an interval that is not over."""
        if not self._is_open:
            return None
        return self._ledger.sounding, [] if self._listener is None else self._listener.held

    def _play(self, frame_count: int | None) -> None:
        number = self._clock.next_frame()
        while frame_count is None or self._count < frame_count:
            jumps = self._clock.jumps
            chosen = self._choose(number)
            self._take_until(number)
            if self._clock.is_running and self._clock.jumps == jumps:
                self._commit(number, chosen)
                self._is_open = True
                self._count += 1
                number += 1
            else:
                self._pause()
                number = self._clock.next_frame()
        self._take_until(number)

    def _choose(self, number: int) -> Frame | None:
        """Close the interval before frame ``number`` and return that frame; None to hold the last one."""
        frame_ns = self._clock.due(number) - self._clock.due(number - 1)  # 0 where neither can be told
        if self._role.hears_player and frame_ns > 0:
            self._take_until(number, min(LOOKAHEAD, frame_ns // 2))
        if not self._clock.is_running:
            return None
        self._close_interval()
        if not self._role.model_plays:
            return no_notes()
        if self._count < len(self._prompt):
            return self._prompt[self._count]
        return self._sample(self._clock.due(number))

    def _pause(self) -> None:
        """Fall silent, and wait until the song runs."""
        self._ledger.silence(self._clock.now())
        self._close_interval()
        self._played = no_notes()
        self.waits = not self._clock.is_running
        while not self._clock.is_running:
            if (arrival := self._clock.wait(self._clock.now() + REST)) is not None:
                self._take(arrival)
        self.waits = False
        if self._listener is not None:
            self._listener.open(self._clock.now())

    def _close_interval(self) -> None:
        """Let the improviser hear what sounded since the last frame, if there was one."""
        if not self._is_open:
            return
        self._is_open = False
        theirs = no_notes() if self._listener is None else self._listener.close(self._clock.now())
        self.columns.append((self._played, theirs))
        for heard in self._role.close(self._played, theirs):
            self._improviser.advance(heard)

    def _sample(self, due: int) -> Frame | None:
        began = self._clock.now()
        sweeps = self._effort.affordable(due - began)
        if sweeps == 0:
            self._effort.forget()
            return None
        evidence = self._evidence = self._bounds.holding(self._theirs())
        frame = self._improviser.sample(evidence, sweeps)
        self.report.step = self._clock.now() - began
        self._effort.learn(sweeps, self.report.step)
        self.report.reduced += sweeps < self._effort.full
        return frame & (evidence.clamp != ON)  # what is let go before the frame is due is not taken over

    def _commit(self, number: int, chosen: Frame | None) -> None:
        due, end, now = self._clock.due(number), self._clock.due(number + 1), self._clock.now()
        self.next_due = end
        if now >= end:
            self.report.dropped += 1
            return
        too_late = now - due > (end - due) // 2
        if not self._role.model_plays:
            self._played = no_notes()  # the player may have begun since it was chosen
        else:
            if chosen is None or too_late:
                self.report.held += 1
                chosen = self._played
            evidence = self._evidence or self._bounds.holding(self._theirs())
            is_prompt = self._count < len(self._prompt)
            self._played = chosen & (evidence.clamp != ON) if is_prompt else evidence.admit(chosen)
        self._ledger.play(self._played, due, None if self._touch is None else self._touch.velocity(number))
        self.report.add(now - due)

    def _take_until(self, frame: int, lead: int = 0) -> None:
        """Wait until ``lead`` (ns) before ``frame`` is due, taking in what arrives; no longer than the song runs on."""
        jumps = self._clock.jumps
        while self._clock.is_running and self._clock.jumps == jumps:
            if (arrival := self._clock.wait(self._clock.due(frame) - lead)) is not None:
                self._take(arrival)
            elif self._clock.now() >= self._clock.due(frame) - lead:
                return

    def _take(self, arrival: Arrival) -> None:
        """Hand on what arrived; at the player's note the model may fall silent at once."""
        self._monitor(arrival.message, arrival.at)
        if self._clock.hear(arrival):
            return
        self._evidence = None  # it may strike or turn something
        if arrival.message == RESET:
            self._ledger.reset(arrival.at)
            return
        if self._controls is not None and self._controls.hear(arrival.message):
            return
        for hear in self._others:
            hear(arrival)
        if self._listener is None or not self._listener.hear(arrival):
            falls_silent = self._role.control(arrival.message) or is_panic(arrival.message)
            if self._passes_pedal and is_pedal(arrival.message):
                self._ledger.pedal(arrival.message[2], arrival.at)
        else:
            if self._touch is not None:
                self._touch.hear(arrival.message[2])
            if falls_silent := self._role.note_begun():
                self._prompt = ()
            elif self._role.keeps_held:
                self._ledger.release(arrival.message[1], arrival.at)
        if falls_silent:
            self._ledger.silence(arrival.at)

    def _theirs(self) -> list[int]:
        """What the player holds, if the role keeps it."""
        return self._listener.held if self._listener is not None and self._role.keeps_held else []
