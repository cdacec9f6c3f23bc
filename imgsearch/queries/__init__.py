"""What a person asks for, as plain values: things added and subtracted, and conditions.

A line of text goes in, a `Query` comes out; nothing is opened, looked up or embedded here, so the
whole grammar can be read and tested in one place. All that is asked of the disk is whether a file
of that name is there, and only where a picture may be named.

    query.py       Query, and the terms it is the sum of
    conditions.py  what hits must satisfy: Condition, and what its values mean
    grammar.py     a text as a Query
    pictures.py    whether a word names a picture
    keys.py        the keys of conditions, and a value as its tests
    values.py      numbers, dates and claims as a person types them
"""

from imgsearch.queries.conditions import Condition, Flag, Like, Near, Period, Span, Test
from imgsearch.queries.grammar import cleaned, parse, query_of
from imgsearch.queries.keys import KEYS, Value, condition, conditions, takes_text
from imgsearch.queries.query import Address, Asked, PhotoId, Picture, Query, Subject, Term, Words

__all__ = [
    "KEYS",
    "Address",
    "Asked",
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
    "Value",
    "Words",
    "cleaned",
    "condition",
    "conditions",
    "parse",
    "query_of",
    "takes_text",
]
