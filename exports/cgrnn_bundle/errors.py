"""The one error of this package."""

from __future__ import annotations


class BundleError(ValueError):
    """A bundle that cannot be trusted or used; its text names the file and the field, and the fix."""


def fault(where: str, found: str, expected: str, fix: str = "export or download the bundle again") -> BundleError:
    """Return the error of one sentence: where, what was found, what was expected, the fix."""
    return BundleError(f"{where} is {found}, expected {expected}: {fix}")


def shown(value: object) -> str:
    """Return the value as an error shows it: on one line, escaped, cut at 60 characters."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
