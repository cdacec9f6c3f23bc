"""Photos as people change them: saved again, resized, cropped, stamped, turned, shot twice.

A picture goes in, the bytes of a file of what became of it come out.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

Change = Callable[[Image.Image], bytes]


def encoded(image: Image.Image, form: str = "JPEG", **options: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **{"quality": 85, **options})
    return stream.getvalue()


def scaled(image: Image.Image, factor: float) -> Image.Image:
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS)


def cropped(image: Image.Image, share: float) -> Image.Image:
    x, y = round(image.width * share / 2), round(image.height * share / 2)
    return image.crop((x, y, image.width - x, image.height - y))


def stamped(image: Image.Image) -> Image.Image:
    image, size = image.copy(), max(8, image.height // 10)
    place = (image.width * 0.45, image.height - 1.5 * size)
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text(place, "(c) imgsearch", fill="white", font=font)
    return image


def turned(image: Image.Image, how: Image.Transpose) -> Image.Image:
    return image.transpose(how)


CHANGES: dict[str, Change] = {
    "JPEG q95": lambda i: encoded(i, quality=95),
    "JPEG q75": lambda i: encoded(i, quality=75),
    "JPEG q50": lambda i: encoded(i, quality=50),
    "JPEG q30": lambda i: encoded(i, quality=30),
    "WebP q60": lambda i: encoded(i, "WEBP", quality=60),
    "GIF, 256 colours": lambda i: encoded(i.quantize(256), "GIF"),
    "a quarter of the size": lambda i: encoded(scaled(i, 0.25)),
    "half the size": lambda i: encoded(scaled(i, 0.5)),
    "half the size, q50": lambda i: encoded(scaled(i, 0.5), quality=50),
    "twice the size": lambda i: encoded(scaled(i, 2)),
    "10% brighter": lambda i: encoded(ImageEnhance.Brightness(i).enhance(1.1)),
    "10% darker": lambda i: encoded(ImageEnhance.Brightness(i).enhance(0.9)),
    "10% more contrast": lambda i: encoded(ImageEnhance.Contrast(i).enhance(1.1)),
    "grey": lambda i: encoded(i.convert("L").convert("RGB")),
    "a name stamped on": lambda i: encoded(stamped(i)),
    "cropped by 2%": lambda i: encoded(cropped(i, 0.02)),
    "cropped by 5%": lambda i: encoded(cropped(i, 0.05)),
    "cropped by 10%": lambda i: encoded(cropped(i, 0.10)),
    "turned by 3 degrees": lambda i: encoded(i.rotate(3, Image.Resampling.BICUBIC)),
    "turned by 90 degrees": lambda i: encoded(turned(i, Image.Transpose.ROTATE_90)),
    "mirrored": lambda i: encoded(turned(i, Image.Transpose.FLIP_LEFT_RIGHT)),
}


def burst(image: Image.Image, step: float, random: np.random.Generator) -> tuple[bytes, bytes]:
    """Two shots by hand: the second moved by a step, both with noise of their own."""
    angle, margin = random.uniform(0, 2 * np.pi), 0.1
    size = (int(image.width * (1 - 2 * margin)), int(image.height * (1 - 2 * margin)))

    def shot(moved: float) -> bytes:
        x = (margin + moved * np.cos(angle)) * image.width
        y = margin * image.height + moved * np.sin(angle) * image.width
        cut = image.transform(
            size, Image.Transform.AFFINE, (1, 0, x, 0, 1, y), Image.Resampling.BICUBIC
        )
        noisy = np.asarray(cut, np.float32) + random.normal(0, 4, (size[1], size[0], 3))
        return encoded(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), quality=92)

    return shot(0), shot(step)
