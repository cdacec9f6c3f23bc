"""Every error imgsearch raises on purpose.

    ImgsearchError
    ├── UsageError            2   an argument that cannot be right
    │   ├── QueryError        2   a query that cannot be searched
    │   ├── PictureError      2   a file that is no picture, or one that cannot be decoded
    │   └── CollapsedError    2   a learning rate at which training forgets all differences
    ├── NoLibraryError        3   no library where one was asked for
    ├── NoEncoderError        3   no encoder for what was asked: the language, or the name
    ├── LibraryError          4   the library is there but cannot be used
    │   ├── LibraryLockedError    4   another process is writing to it
    │   ├── LibraryDamagedError   4   its files do not read as a library
    │   └── LibraryTooNewError    4   written by a newer imgsearch
    └── DownloadError         5   weights that could not be fetched

A message says what happened (with the value), what was expected, and what to type next. The number
is the exit code of the command line; anything that is not an ImgsearchError is a bug, exit code 70.
"""


class ImgsearchError(Exception):
    """The root: catch this to catch everything imgsearch raises on purpose."""

    exit_code = 2


class UsageError(ImgsearchError):
    """An argument cannot be right: a folder that does not exist, a k below one."""


class QueryError(UsageError):
    """A query cannot be searched: it is empty, or names a photo the library has not got."""


class PictureError(UsageError):
    """A file is no picture, is truncated, or is larger than the pixel cap."""


class CollapsedError(UsageError):
    """Training was stopped: its embeddings have become all alike, mostly by too high a rate."""


class NoLibraryError(ImgsearchError):
    """There is no library at the path that was asked for."""

    exit_code = 3


class NoEncoderError(ImgsearchError):
    """No encoder has that name, or none in the library understands the query's language."""

    exit_code = 3


class LibraryError(ImgsearchError):
    """The library exists but cannot be used as it is."""

    exit_code = 4


class LibraryLockedError(LibraryError):
    """Another process is writing to the library."""


class LibraryDamagedError(LibraryError):
    """A file of the library does not read as what it should be."""


class LibraryTooNewError(LibraryError):
    """The library was written by a newer imgsearch than this one."""


class DownloadError(ImgsearchError):
    """Weights are neither on this machine nor could they be fetched."""

    exit_code = 5
