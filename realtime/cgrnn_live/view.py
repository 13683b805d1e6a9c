"""What a terminal shows of a jam: the notes of both as a roll, how it goes, and the keys.

It is drawn by the main thread when there is something new, but not while a frame is due: whatever runs in the
interpreter then keeps the player's thread waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING

from cgrnn_live.clock import MILLISECOND
from cgrnn_live.keys import HELP
from cgrnn_live.player import Player
from cgrnn_live.roll import Cells, Roll, glyphs, owners_of
from cgrnn_live.song_clock import SongClock
from cgrnn_live.status import Status, fitting

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

FEWEST_LINES, FEWEST_COLUMNS = 12, 40
"""A smaller terminal gets the one line."""
MOST_ROWS = 30
"""Five octaves."""

COLOURED = " ▄▄▀█▀▀▀█"
"""As `roll.GLYPHS`, where colours say whose a pitch is: of two, the lower one has the background."""
PLAIN, DIM = "\x1b[0m", "\x1b[2m"
COLOURS = ("0", "36", "33", "36", "36", "36;43", "33", "33;46", "33")
"""Of each of these: the model's cyan, 6, the player's yellow, 3."""

QUIET = 30 * MILLISECOND
"""Before and after a deadline: nothing is drawn."""
PATIENCE = 3
"""So many times in a row it waits for a frame that is due; where frames are short, one always is."""


class View(Status):
    """The roll of a player above its line; on a terminal that is small or cannot show it, the line alone."""

    def __init__(
        self,
        player: Player,
        mode: Callable[[], str],
        song: SongClock | None = None,
        *,
        bpm: float | None = None,
        now: Callable[[], int],
        keys: bool = False,
        is_shown: bool = True,
    ) -> None:
        """Show ``player`` and the ``mode`` it is in.

        Args:
            player: whose frames.
            mode: tells the mode.
            song: what it follows, if anything.
            bpm: the tempo, where it follows nothing and frames have one.
            now: tells the time on the player's axis. (Its own clock is for its thread only.)
            keys: whether the terminal's keys are read.
            is_shown: whether to show anything.
        """
        super().__init__(player, mode, song, is_shown=is_shown)
        self._bpm = bpm
        self._now = now
        self._keys = keys
        self._roll = Roll()
        self._size: tuple[int, int] | None = None
        self._drawn: tuple[str, bytes | None] | None = None
        self._has_news = True
        self._waited = 0

    def lines(self) -> list[str]:
        """Return the lines below the roll."""
        song, bpm = self._song, self._bpm if self._song is None else self._song.follower.bpm
        tempo = "" if bpm is None else f"  {bpm:.1f} BPM"
        phase = "" if song is None else f"  phase {song.follower.error / MILLISECOND:+.1f} ms"
        counts = "".join(f"  {name} {count}" for name, count in self._counts().items())
        step = self._player.report.step / MILLISECOND
        return [f"{self._state()}{tempo}{phase}", f"sent {self._lateness():+.2f} ms  step {step:.2f} ms{counts}"]

    def _picture(self, console: Console) -> RenderableType | None:
        self._hear()
        width, height = size = console.size
        if size != self._size:
            if self._size is not None:
                console.clear()  # the terminal has broken the lines anew
            self._size, self._drawn = size, None
        if height < FEWEST_LINES or width < FEWEST_COLUMNS or not console.encoding.startswith("utf"):
            return super()._picture(console)
        sounding = self._player.sounding
        now = None if sounding is None else owners_of(*sounding)
        state = (self._state(), None if now is None else now.tobytes())
        if state == self._drawn and not self._has_news:
            return None
        if abs(self._player.next_due - self._now()) < QUIET and self._waited < PATIENCE:
            self._waited += 1
            return None
        self._waited, self._drawn, self._has_news = 0, state, False
        texts = [fitting(line) for line in self.lines()] + ([fitting(HELP, "dim")] if self._keys else [])
        rows = min(height - 1 - len(texts), MOST_ROWS)
        from rich.console import Group

        return Group(Picture(*self._roll.picture(width - 1, rows, now)), *texts)

    def _hear(self) -> None:
        """Take the intervals that are over."""
        columns = self._player.columns
        while columns:
            self._roll.add(*columns.popleft())
            self._has_news = True


class Picture:
    """Rows of cells that rich prints: coloured where the terminal has colours, else told apart by their shape."""

    def __init__(self, gutter: list[str], cells: Cells) -> None:
        """Print ``cells`` (rows, columns) with a text before each row."""
        self._gutter = gutter
        self._cells = cells

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """See rich's console protocol."""
        from rich.segment import ControlType, Segment

        has_colours = console.color_system is not None and not console.no_color and not console.legacy_windows
        rows = map(coloured, self._cells.tolist()) if has_colours else glyphs(self._cells)
        for name, row in zip(self._gutter, rows, strict=True):
            # Rich prints a control code as it is. Run by run a row takes five times as long.
            yield Segment(f"{DIM}{name}{PLAIN}{row}", None, [(ControlType.CARRIAGE_RETURN,)])
            yield Segment.line()


def coloured(row: list[int]) -> str:
    """Return a row of cells as text with ANSI colours."""
    runs = ((cell, sum(1 for _ in run)) for cell, run in groupby(row))
    return "".join(f"\x1b[{COLOURS[cell]}m{COLOURED[cell] * length}" for cell, length in runs) + PLAIN
