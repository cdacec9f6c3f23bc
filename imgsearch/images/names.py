"""What the name of a file or a folder says: a photo, something that holds photos, or neither.

Names in, claims out; nothing is looked at on the disk. A name only decides whether a file is looked
at. What is in it is told by its content.
"""

import posixpath

ENDINGS = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib"),
        *(".tif", ".tiff", ".avif", ".heic", ".heif", ".hif", ".jp2", ".j2k", ".jpx"),
        *(".pbm", ".pgm", ".ppm", ".pnm"),
    )
)
RAW = frozenset(
    (
        *(".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".dng", ".raf", ".orf"),
        *(".rw2", ".pef", ".srw", ".rwl", ".iiq", ".3fr", ".erf", ".mrw", ".x3f"),
    )
)
DEVELOPED = frozenset(
    (".jpg", ".jpeg", ".jpe", ".heic", ".heif", ".hif")
)  # what a camera makes too
ANIMATED = frozenset((".gif", ".webp", ".png", ".apng"))  # may be
FILMS = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".mpg", ".mpeg"),
        *(".mts", ".m2ts", ".3gp", ".3g2", ".ogv", ".vob"),
    )
)
ARCHIVES = frozenset((".zip", ".cbz", ".tar", ".parquet"))
PACKED_TARS = (".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tgz", ".tbz2", ".txz")
OTHER_ARCHIVES = frozenset((".7z", ".rar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst"))
SYSTEM_FOLDERS = frozenset(
    {
        "@eadir",
        "#recycle",
        "#snapshot",
        "@recycle",
        "@recently-snapshot",
        "$recycle.bin",
        "recycler",
        "system volume information",
        "lost+found",
        "node_modules",
        "__macosx",
        "__pycache__",
    }
)


def ending(name: str) -> str:
    """The last suffix of a name, in small letters."""
    return posixpath.splitext(name)[1].lower()


def stem(name: str) -> str:
    """A name without its last suffix, folders kept: what a photo and the text beside it share."""
    return posixpath.splitext(name)[0]


def is_packed_tar(name: str) -> bool:
    """Whether a file is called as compressed tars are."""
    return name.lower().endswith(PACKED_TARS)


def is_looked_at(name: str) -> bool:
    """Whether a file is called like a photo, or like a file that holds photos."""
    return ending(name) in ENDINGS | RAW | FILMS | ARCHIVES or is_packed_tar(name)


def is_left_out(name: str) -> bool:
    """Whether a file or a folder is hidden, by a dot, or a folder of the system's."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS
