"""What a person wrote about a photo inside its file, or in the `.xmp` beside it.

A path goes in; sentences per language come out: XMP's dc:description, EXIF's ImageDescription,
IPTC's caption, each text once. Nothing is decoded but the header. A description is read where
programs of every kind write it, so what cameras write there by themselves counts for nothing, and a
block that does not parse says nothing.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from PIL import IptcImagePlugin
from PIL.ExifTags import Base

from imgsearch.images import decoding, facts
from imgsearch.prompts import language_of

DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"
ITEM = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
IPTC_CAPTION = (2, 120)
LONGEST_XMP_BYTES = 1 << 24
_CODE = re.compile(r"([a-z]{2})(?:[-_]|$)")
_BY_CAMERAS = re.compile(
    r"[\W\d_]*|((konica )?minolta|olympus|samsung|kodak|casio|pentax|jvc) digital (still )?camera|"
    r"sony dsc|(exif[ _])?jpeg[ _]picture|dcim\b.*|charset=\S*|screenshot|untitled|default|dji\w*|"
    r"cof|edf|sdr|btf|mde|rhdr|hdrpl|dav",
    re.IGNORECASE,
)

Sentences = Mapping[str, tuple[str, ...]]


def descriptions(path: Path) -> Sentences:
    """Language -> the descriptions inside a photo and in a `.xmp` beside it; {} where none is.

    The language is what XMP says it is, else told from the text. Raises PictureError, whose message
    is the reason alone, for a file that is gone or no picture.
    """
    found: dict[str, dict[str, None]] = {}
    told = [*_beside(path), *_inside(path)]
    seen: set[str] = set()
    for text, language in told:
        if text in seen or _BY_CAMERAS.fullmatch(text):
            continue
        seen.add(text)
        found.setdefault(language or language_of(text), {})[text] = None
    return {language: tuple(texts) for language, texts in found.items()}


def language_code(name: str) -> str | None:
    """The language that a name such as "en", "zh-CN" or "zh_2" begins with; None for others."""
    code = _CODE.match(name.strip().lower())
    return code[1] if code else None


def _beside(path: Path) -> Iterator[tuple[str, str | None]]:
    for sidecar in (path.with_suffix(".xmp"), path.with_name(path.name + ".xmp")):
        try:
            with open(sidecar, "rb") as file:
                yield from _of_xmp(file.read(LONGEST_XMP_BYTES))
        except OSError:  # mostly there is none
            continue


def _inside(path: Path) -> list[tuple[str, str | None]]:
    with decoding.opened_header(path) as image:
        xmp = image.info.get("xmp")
        found = list(_of_xmp(xmp if isinstance(xmp, bytes) else b""))
        found.append((facts.as_text(decoding.exif_of(image).get(Base.ImageDescription)), None))
        try:
            iptc = IptcImagePlugin.getiptcinfo(image) or {}
        except Exception:  # a broken block raises anything and costs the photo nothing
            iptc = {}
        captions = iptc.get(IPTC_CAPTION, b"")
        every = captions if isinstance(captions, list) else [captions]
        return found + [(facts.as_text(each), None) for each in every]


def _of_xmp(packet: bytes) -> Iterator[tuple[str, str | None]]:
    """The descriptions of an XMP packet; one with entities of its own is no XMP, and not parsed."""
    if DESCRIPTION.partition("}")[2].encode() not in packet or b"<!DOCTYPE" in packet:
        return
    try:
        tree = ElementTree.fromstring(packet.strip(b"\0 \r\n\t"))
    except (ElementTree.ParseError, ValueError):
        return
    for element in tree.iter(DESCRIPTION):
        for item in list(element.iter(ITEM)) or [element]:
            language = language_code(item.get(LANGUAGE, "").replace("x-default", ""))
            yield facts.as_text(item.text), language
    for element in tree.iter():
        if said := element.get(DESCRIPTION):  # the short form, as an attribute
            yield facts.as_text(said), None
