"""What a decoded photo says, as the catalog keeps it.

The facts that reading a picture gave go in; the catalog's own values and the nearest place come
out, so that a photo is the same row whichever verb brought it.
"""

from imgsearch.catalog import PhotoFacts
from imgsearch.images import Facts
from imgsearch.places import Place, place_of


def photo_facts(content_hash: str, facts: Facts) -> PhotoFacts:
    """The facts of the photo with that SHA-256."""
    return PhotoFacts(
        content_hash=content_hash,
        width=facts.width,
        height=facts.height,
        size_bytes=facts.size_bytes,
        format=facts.format,
        taken_at=facts.taken_at,
        camera=facts.camera,
        latitude=facts.latitude,
        longitude=facts.longitude,
        **vars(facts.exposure),
    )


def taken_near(facts: Facts) -> Place | None:
    """Where a photo was taken; None where it does not say, or far from everywhere."""
    if facts.latitude is None or facts.longitude is None:
        return None
    return place_of(facts.latitude, facts.longitude)
