"""The data room's exceptions.

ValueError
└── DataError                a source or a data set that cannot be used
    └── UnusableFileError    one file of a source: it is skipped, and the report names it
"""


class DataError(ValueError):
    """A source or a data set that cannot be used; the message says what was found, what was expected, and the fix."""


class UnusableFileError(DataError):
    """One file that cannot be used; the message is the reason that the report gives."""
