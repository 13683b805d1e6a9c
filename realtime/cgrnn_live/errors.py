"""The instrument's own errors, each one sentence for the person at the keyboard.

    UsageError                 what the person can mend; the command exits with 2
    ├── options.OptionError    an option that means nothing
    ├── portnames.PortError    a MIDI system or port that is missing, ambiguous or in use
    ├── prompt.PromptError     a MIDI file that cannot be read, or holds no notes
    ├── recording.FileError    a file that cannot be written
    └── speaker.SoundError     no sound device, or one that cannot be opened

`cgrnn_bundle.errors.BundleError` exits with 2 too. Anything else is a fault of ours and exits with 1.
"""

from __future__ import annotations


class UsageError(Exception):
    """What the person at the keyboard can mend: its text is one sentence with what was found, expected, and the fix."""
