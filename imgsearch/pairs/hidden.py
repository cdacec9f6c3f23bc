"""Names of files that systems leave beside a person's own: nothing under them belongs to a set.

A name goes in, a claim comes out. macOS writes its AppleDouble files as `._1.jpg`, in zips under
`__MACOSX/`; they have the endings of photos and texts and are neither.
"""

from pathlib import PurePosixPath


def is_hidden(name: str) -> bool:
    """Whether a part of a relative name starts with a dot or is `__MACOSX`; `./` and `../` are no
    such parts.
    """
    return any(
        part == "__MACOSX" or (part.startswith(".") and part != "..")
        for part in PurePosixPath(name).parts
    )
