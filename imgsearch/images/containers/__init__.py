"""Files that hold photos: archives, tables of pictures, films.

A photo inside has a path like any other, the container's with the member's name below it:
`holiday.zip/beach/1.jpg`, `film.mp4/00-01-30.500`. So folders, roots, prefixes and moves mean for
them what they mean for files, and nobody above this folder needs to know that they are none.

    container.py   what a container is
"""

from imgsearch.images.containers.container import Container, Member

__all__ = ["Container", "Member"]
