"""What a person asks for, as plain values: things added and subtracted, and conditions.

A line of text goes in, a `Query` comes out; nothing is looked up, opened or embedded here, so the
whole grammar can be read and tested in one place.

    query.py       Query, and the terms it is the sum of
    conditions.py  what hits must satisfy: Condition, and what its values mean
"""

from imgsearch.queries.conditions import Condition, Flag, Like, Near, Period, Span, Test
from imgsearch.queries.query import Address, PhotoId, Picture, Query, Subject, Term, Words

__all__ = [
    "Address",
    "Condition",
    "Flag",
    "Like",
    "Near",
    "Period",
    "PhotoId",
    "Picture",
    "Query",
    "Span",
    "Subject",
    "Term",
    "Test",
    "Words",
]
