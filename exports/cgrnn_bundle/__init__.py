"""The contract between training and playing: what a frame is (`frames`) and what a bundle is (`bundle`)."""

__version__ = "0.1.0"
