"""The instrument's own errors, each one sentence for the person at the keyboard.

    UsageError                 what the person can mend; the command exits with 2
    ├── calibrate.TakeError             a take that cannot be measured
    ├── options.OptionError             an option that means nothing
    ├── portnames.PortError             a MIDI system or port that is missing, ambiguous or in use
    ├── prompt.PromptError              a MIDI file that cannot be read, or holds no notes
    ├── recording.FileError             a file that cannot be written
    ├── session_log.LogError            a log that cannot be read
    ├── sound_card.SoundError           no sound device, or one that cannot be found or opened
    ├── wave_prompt.WavePromptError     a sound file that cannot be read, or cannot be gone on from
    └── wave_render.WaveLengthError     a sound that is too long for its file

`cgrnn_bundle.errors.BundleError` exits with 2 too. Anything else is a fault of ours and exits with 1.
"""

from __future__ import annotations


class UsageError(Exception):
    """What the person at the keyboard can mend: its text is one sentence with what was found, expected, and the fix."""
