"""What a person sees while the instrument plays: messages and one live line, on standard error only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.live import Live

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

    def __enter__(self) -> LiveLine:
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
            self.update()
            self._live.stop()

    def update(self) -> None:
        """Show how things stand now."""
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text(self._line(), no_wrap=True, overflow="ellipsis"), refresh=True)


class Status(LiveLine):
    """The line of a player: whose turn, frames, notes, lateness and what was done about it; of a song, its tempo."""

    def __init__(self, player: Player, mode: Callable[[], str], song: SongClock | None = None) -> None:
        """Show ``player``, the ``mode`` that it is in, and how the ``song`` goes that it follows."""
        super().__init__(self.line)
        self._player = player
        self._mode = mode
        self._song = song

    def line(self) -> str:
        """Return the line as text."""
        player, report = self._player, self._player.report
        turn = "plays" if player.model_plays else "listens"
        tempo = ""
        if self._song is not None:
            tempo = f"  {self._song.follower.bpm:.1f} BPM"
            turn = "waits for the song" if player.waits else turn
        last = report.lateness[-1] / 1e6 if report.lateness else 0.0
        text = f"{self._mode()}: {turn}  frame {report.frames}  notes {player.notes}{tempo}  {last:+.2f} ms"
        counts = {"late": report.late, "fewer sweeps": report.reduced, "held": report.held, "dropped": report.dropped}
        return text + "".join(f"  {name} {count}" for name, count in counts.items() if count)
