"""Pictures as iTerm2 takes them, and WezTerm and mintty after it: a PNG file inside an OSC 1337."""

import base64
import io

from PIL import Image


def at_cursor(picture: Image.Image, cells: tuple[int, int]) -> bytes:
    """The picture in (columns, rows) of cells, its left upper corner at the cursor."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    png = file.getvalue()
    settings = (
        f"inline=1;size={len(png)};width={cells[0]};height={cells[1]};preserveAspectRatio=1;"
        "doNotMoveCursor=1"
    )
    return b"\x1b]1337;File=" + settings.encode() + b":" + base64.b64encode(png) + b"\x07"
