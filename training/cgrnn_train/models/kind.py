"""What a frame is made of: the key ``kind`` of every system's configuration."""

from typing import Literal

Kind = Literal["binary", "continuous"]
"""Pitches of 0 and 1, or samples of sound."""
