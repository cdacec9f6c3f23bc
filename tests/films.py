"""Films that tests make: each second has its own grey, so a frame tells when it was taken."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FPS = 10


def film(
    path: Path,
    seconds: int = 6,
    *,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    group: int = 25,
    metadata: dict[str, str] | None = None,
    seconds_in: int = 0,
) -> Path:
    """A film whose second n is grey 40 * n, its left quarter red; key frames every `group` frames.

    `seconds_in` is the time its first frame says it has.
    """
    path.parent.mkdir(exist_ok=True)
    tagged = {"movflags": "use_metadata_tags"} if metadata else {}
    with av.open(str(path), "w", options=tagged) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height = size
        stream.pix_fmt, stream.gop_size = "yuv420p", group
        stream.codec_context.options = {"sc_threshold": "0"} if codec == "libx264" else {}
        stream.time_base = Fraction(1, FPS)
        for number in range(seconds * FPS):
            pixels = np.full((size[1], size[0], 3), 40 * (number // FPS), np.uint8)
            pixels[:, : size[0] // 4] = (220, 0, 0)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number + seconds_in * FPS, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turned(path: Path, degrees: int) -> Path:
    """Say in an MP4 or MOV that it is to be shown turned clockwise, as phones do."""
    content = bytearray(path.read_bytes())
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = (cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", content, content.index(b"tkhd") + 4 + 40, *matrix)
    path.write_bytes(content)
    return path
