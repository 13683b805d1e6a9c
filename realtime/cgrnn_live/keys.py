"""Keys of the terminal as control messages: they come in as if the input had brought them.

    f c a      play free, continue, accompany         program change 0, 1, 2
    t Enter    pass the turn                          CC 31
    p space    end every note                         CC 120
    k          keep the last bars                     CC 29
    1 to 9     recall a bank; after s, save it        CC 28; CC 27
    q          end, as Ctrl-C does

A thread waits for them. A terminal on which this program is not in the foreground is the shell's: its keys are not
read and its settings not touched, which would stop the program.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from cgrnn_live.banks import RECALL, SAVE
from cgrnn_live.capture import KEEP
from cgrnn_live.clock import Arrival
from cgrnn_live.ledger import CONTROL, Message
from cgrnn_live.listener import ALL_SOUND_OFF
from cgrnn_live.roles import PASS_TURN, PROGRAM_CHANGE

DOWN = 127

QUIT = ("q", "\x03")
"""The second is Ctrl-C where it does not come as a signal."""
TO_SAVE = "s"
BANKS = "123456789"

MESSAGES: dict[str, Message] = {
    "f": (PROGRAM_CHANGE, 0),
    "c": (PROGRAM_CHANGE, 1),
    "a": (PROGRAM_CHANGE, 2),
    **dict.fromkeys("t\r\n", (CONTROL, PASS_TURN, DOWN)),
    **dict.fromkeys("p ", (CONTROL, ALL_SOUND_OFF, 0)),
    "k": (CONTROL, KEEP, DOWN),
}
HELP = "f c a mode  t turn  space silence  k keep  1-9 recall  s 1-9 save  q quit"

ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
"""What arrows and function keys send, and Alt with a key: none of ours, though digits are in it."""

LOOK_SECONDS = 0.5
"""Between two looks whether the terminal is ours."""


class Keymap:
    """What each key means; `s` gives the next one another meaning."""

    def __init__(self) -> None:
        self._is_saving = False

    def message(self, key: str) -> Message | None:
        """Return the message of a key, or None."""
        was_saving, self._is_saving = self._is_saving, key == TO_SAVE
        if key in BANKS:
            return (CONTROL, SAVE if was_saving else RECALL, int(key))
        return MESSAGES.get(key)


class Keys:
    """Reads the keys of the terminal at standard input while the context lasts; of anything else it reads nothing.

    Attributes:
        are_read: whether there are keys.
    """

    def __init__(
        self,
        put: Callable[[Arrival], None],
        now: Callable[[], int],
        stop: Callable[[], None],
        *,
        are_wanted: bool = True,
    ) -> None:
        """``put`` what the keys mean, as of ``now`` (ns), and ``stop`` at q; read none unless they ``are_wanted``."""
        self.are_read = are_wanted and _is_terminal()
        self._put = put
        self._now = now
        self._stop = stop
        self._keymap = Keymap()
        self._keyboard: Keyboard | None = None

    def __enter__(self) -> Keys:
        """Begin to read."""
        if self.are_read:
            self._keyboard = Keyboard(self.press)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        if self._keyboard is not None:
            self._keyboard.close()

    def press(self, text: str) -> None:
        """Take in what was typed."""
        for key in ESCAPES.sub("", text).lower():
            if key in QUIT:
                self._stop()
            elif (message := self._keymap.message(key)) is not None:
                self._put(Arrival(self._now(), message))


def _is_terminal() -> bool:
    try:
        return sys.stdin is not None and sys.stdin.isatty() and _is_foreground(sys.stdin.fileno())
    except (ValueError, OSError):  # closed
        return False


if sys.platform == "win32":
    import msvcrt

    def _is_foreground(file: int) -> bool:
        return True

    class Keyboard:
        """Gives what is typed in the console to ``press``."""

        def __init__(self, press: Callable[[str], None]) -> None:
            self._press = press
            self._is_over = threading.Event()
            self._thread = threading.Thread(target=self._read, name="keys", daemon=True)
            self._thread.start()

        def close(self) -> None:
            """Stop reading."""
            self._is_over.set()
            self._thread.join(1.0)

        def _read(self) -> None:
            while not self._is_over.wait(0.03):
                while msvcrt.kbhit():
                    key = msvcrt.getwch()
                    if key in "\x00\xe0":  # a function key: its number comes next
                        msvcrt.getwch()
                    else:
                        self._press(key)

else:
    import select
    import termios
    import tty

    def _is_foreground(file: int) -> bool:
        try:
            return os.tcgetpgrp(file) == os.getpgrp()
        except OSError:  # not the terminal that controls this program: no shell takes turns with it
            return True

    class Keyboard:
        """Gives what is typed at the terminal to ``press``, key by key and unseen; signals come as ever."""

        def __init__(self, press: Callable[[str], None]) -> None:
            self._press = press
            self._file = sys.stdin.fileno()
            self._settings = termios.tcgetattr(self._file)
            self._is_over, self._end = os.pipe()
            self._take()
            self._thread = threading.Thread(target=self._read, name="keys", daemon=True)
            self._thread.start()

        def close(self) -> None:
            """Stop reading, and give the terminal its settings back."""
            os.write(self._end, b".")
            self._thread.join()
            os.close(self._end)
            os.close(self._is_over)
            with suppress(termios.error):  # it has gone
                if _is_foreground(self._file):
                    termios.tcsetattr(self._file, termios.TCSADRAIN, self._settings)

        def _take(self) -> bool:
            """Set the terminal so, or again after Ctrl-Z, if it is ours; return whether it is."""
            is_ours = _is_foreground(self._file)
            if is_ours and termios.tcgetattr(self._file)[tty.LFLAG] & termios.ICANON:
                tty.setcbreak(self._file, termios.TCSADRAIN)
            return is_ours

        def _read(self) -> None:
            with suppress(OSError, termios.error):  # it has gone
                while True:
                    files = [self._is_over, self._file] if self._take() else [self._is_over]
                    ready, _, _ = select.select(files, [], [], LOOK_SECONDS)
                    if self._is_over in ready:
                        return
                    if self._file in ready and _is_foreground(self._file):
                        if not (typed := os.read(self._file, 1024)):
                            return
                        self._press(typed.decode("latin-1"))
