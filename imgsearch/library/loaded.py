"""The encoders that an open library holds, each for the device and the runtime it was loaded for.

In: encoders, by their identity. Out: the same objects, as long as they may answer.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING

from imgsearch.catalog import EncoderRow

if TYPE_CHECKING:
    from imgsearch.encoders import Encoder, Runtime

GIVEN = ""  # in the place of a device: an object that was passed in, for any


class LoadedEncoders:
    """Encoders by identity and place."""

    def __init__(self) -> None:
        self._encoders: dict[tuple[str, str], Encoder] = {}

    def get(self, identity: str, device: str, runtime: Runtime) -> Encoder | None:
        """The one for this device, else one that was given; for torch, none that is an export."""
        for where in (_place(device, runtime), GIVEN):
            found = self._encoders.get((identity, where))
            if found is not None and _will_do(found, runtime):
                return found
        return None

    def add(self, identity: str, encoder: Encoder, device: str, runtime: Runtime) -> Encoder:
        """Keep one that was loaded for an identity; another thread's, where that was first."""
        kept = self._encoders.setdefault((identity, _place(device, runtime)), encoder)
        if not _will_do(kept, runtime):
            kept = self._encoders[identity, _place(device, runtime)] = encoder
        return kept

    def give(self, encoder: Encoder) -> None:
        """Keep an object for any device, until `clear`."""
        self._encoders[encoder.identity, GIVEN] = encoder

    def forget_all_but(self, identities: Collection[str]) -> None:
        """Let go of what was loaded of other encoders; those given stay."""
        for identity, place in list(self._encoders):
            if place and identity not in identities:
                self._encoders.pop((identity, place), None)

    def clear(self) -> None:
        """Let go of all."""
        self._encoders.clear()


def exported(row: EncoderRow, device: str) -> Encoder | None:
    """The export of a row, by its identity: no weights are read. None where there is none, or where
    a GPU is to compute."""
    from imgsearch.encoders import exports
    from imgsearch.weights import device as devices

    found = exports.find(row.identity)
    if found is None or not devices.is_cpu(device):
        return None
    from imgsearch.encoders.exports.exported import Exported

    return Exported(found, name=row.name, source=row.source or row.name)


def _will_do(encoder: Encoder, runtime: Runtime) -> bool:
    """Whether it is of that runtime; of an export, whether that was not deleted meanwhile, since
    its other tower may not be open yet."""
    from imgsearch.encoders.exports.exported import Exported

    if isinstance(encoder, Exported):
        return runtime == "auto" and os.path.isdir(encoder.export.folder)
    return True


def _place(device: str, runtime: Runtime) -> str:
    from imgsearch.weights.device import is_cpu

    where = "cpu" if is_cpu(device) else device  # so that `auto` finds what `cpu` has loaded
    return where if runtime == "auto" else f"{runtime} on {where}"
