"""What a person sees while the instrument plays: messages and one live line, on standard error only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from cgrnn_live.clock import MILLISECOND

if TYPE_CHECKING:
    from typing import Self

    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.text import Text

    from cgrnn_live.player import Player
    from cgrnn_live.song_clock import SongClock


def tell(message: str) -> None:
    """Write a message for people."""
    print(message, file=sys.stderr, flush=True)


class LiveLine:
    """A line that keeps changing while something plays. Only a terminal shows it."""

    def __init__(self, line: Callable[[], str], *, is_shown: bool = True) -> None:
        """Show what ``line`` returns, if ``is_shown``."""
        self._line = line
        self._is_shown = is_shown
        self._live: Live | None = None

    def __enter__(self) -> Self:
        """Begin to show it."""
        if self._is_shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), auto_refresh=False, redirect_stdout=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last line standing."""
        if self._live is not None:
            self._live.update(fitting(self._line()), refresh=True)
            self._live.stop()

    def update(self) -> None:
        """Show how things stand now."""
        if self._live is not None and (picture := self._picture(self._live.console)) is not None:
            self._live.update(picture, refresh=True)

    def _picture(self, console: Console) -> RenderableType | None:
        """Return what to show on ``console``, or None to leave what is there."""
        return fitting(self._line())


def fitting(line: str, style: str = "") -> Text:
    """Return a line that is cut where the terminal ends."""
    from rich.text import Text

    return Text(line, style, no_wrap=True, overflow="ellipsis")


class Status(LiveLine):
    """The line of a player: whose turn, frames, notes, lateness and what was done about it; of a song, its tempo."""

    def __init__(
        self, player: Player, mode: Callable[[], str], song: SongClock | None = None, *, is_shown: bool = True
    ) -> None:
        """Show ``player``, the ``mode`` that it is in, and how the ``song`` goes that it follows."""
        super().__init__(self.line, is_shown=is_shown)
        self._player = player
        self._mode = mode
        self._song = song

    def line(self) -> str:
        """Return the line as text."""
        tempo = "" if self._song is None else f"  {self._song.follower.bpm:.1f} BPM"
        text = f"{self._state()}{tempo}  {self._lateness():+.2f} ms"
        return text + "".join(f"  {name} {count}" for name, count in self._counts().items() if count)

    def _state(self) -> str:
        turn = "plays" if self._player.model_plays else "listens"
        if self._player.waits:
            turn = "waits for the song"
        return f"{self._mode()}: {turn}  frame {self._player.report.frames}  notes {self._player.notes}"

    def _lateness(self) -> float:
        """Return how late the last frame was, in ms."""
        lateness = self._player.report.lateness
        return lateness[-1] / MILLISECOND if lateness else 0.0

    def _counts(self) -> dict[str, int]:
        report = self._player.report
        return {"late": report.late, "fewer sweeps": report.reduced, "held": report.held, "dropped": report.dropped}
