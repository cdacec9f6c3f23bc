"""Files that hold photos: archives, tables of pictures, films.

A photo inside has a path like any other, the container's with the member's name below it:
`holiday.zip/beach/1.jpg`, `film.mp4/00-01-30.500`. So folders, roots, prefixes and moves mean for
them what they mean for files, and nobody above `images` needs to know that they are none.

    container.py   what a container is
    keeping.py     containers kept open between photos
    contents.py    what of an archive's list counts
    zips.py        zip
    tars.py        tar
    tables.py      parquet
    films.py       videos
    animations.py  GIF, WebP and PNG with more than one frame
    frames.py      a frame's name, and its picture file
    shooting.py    what a film says of when and where it was shot
"""

from imgsearch.images.containers.container import Container, Member
from imgsearch.images.containers.frames import moment_named
from imgsearch.images.containers.keeping import let_go, opened

__all__ = ["Container", "Member", "let_go", "moment_named", "opened"]
