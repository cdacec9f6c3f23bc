"""Where on this disk the photos of rows are: paths and keys in, paths of files out.

A file of embeddings names photos by paths of the machine it was made on, by paths below some
folder, or by keys. Nothing is taken for a photo that lies neither in a folder of the library nor in
the one that a person named: a name in a file that somebody wrote is no reason to read a file. So
every place has its `..` taken out before it is asked whose it is.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from imgsearch import images
from imgsearch.images import ContainerFile, PhotoFile
from imgsearch.library import Library


class Places:
    """The folders of a library, and the `folder` that a person named, looked through at need."""

    def __init__(self, library: Library, folder: Path | None) -> None:
        self._folder = None if folder is None else Path(os.path.realpath(folder))
        roots = library.catalog.roots()
        if self._folder is not None:
            roots.insert(0, self._folder)
        self._roots = roots
        self._keys: dict[str, str] | None = None

    def root_of(self, path: Path) -> Path | None:
        """The folder that a photo at a place counts with; None for one that is nobody's."""
        return next((root for root in self._roots if path.is_relative_to(root)), None)

    def named(self, name: str) -> Iterator[Path]:
        """Where the photo is that a row calls so, by its path or by its key; there or not."""
        if not name or "\0" in name:
            return
        given = Path(name)
        if self._folder is not None and not given.is_absolute():
            yield Path(os.path.abspath(self._folder / given))
            if keyed := self._by_key(name):
                yield Path(keyed)
        # As the catalog has it: free of links, but for those below a folder that was given.
        yield Path(os.path.realpath(given))
        yield Path(os.path.abspath(given))

    def guessed(self, name: str) -> Iterator[Path]:
        """Where it may be: below the folder, by ever shorter ends of its path on another machine.

        Only its content says whether it is the one.
        """
        if self._folder is not None and os.path.isabs(name):
            parts = Path(name).parts[1:]
            for start in range(len(parts)):
                yield Path(os.path.abspath(self._folder.joinpath(*parts[start:])))

    def _by_key(self, key: str) -> str | None:
        if self._keys is None:
            self._keys = self._listed()
        return self._keys.get(key)

    def _listed(self) -> dict[str, str]:
        """Key -> path of every photo below the folder, "" where two have the same.

        A photo's key is its name without the ending and, in a tar, its path there without it.
        """
        keys: dict[str, str] = {}
        for path, key in self._photos():
            keys[key] = "" if key in keys else os.fspath(path)
        return keys

    def _photos(self) -> Iterator[tuple[Path, str]]:
        assert self._folder is not None
        for finding in images.find([self._folder], containers=images.ARCHIVES):
            if isinstance(finding, PhotoFile):
                yield finding.path, finding.path.stem
            elif isinstance(finding, ContainerFile):
                for member in images.members(finding, 1.0):
                    if isinstance(member, PhotoFile):
                        inside = member.path.relative_to(finding.path)
                        yield member.path, inside.with_suffix("").as_posix()
