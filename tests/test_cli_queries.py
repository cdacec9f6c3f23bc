"""The words of a command line as a query: quotes that a shell took, and how many hits there are."""

import pytest

from commands import Run, hits
from imgsearch.cli.queries import text_of
from imgsearch.queries import parse

pytest_plugins = "commands"


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("camera:Canon EOS 5D", 'camera:"Canon EOS 5D"'),
        ("folder:my photos", 'folder:"my photos"'),
        ("相机", "相机"),
        ("album:夏天 2023", 'album:"夏天 2023"'),
        ("path:a", "path:a"),
        ('path:"a" a dog', 'path:"a" a dog'),
        ("path:“a” 一只狗", "path:“a” 一只狗"),
        ("year:2026 a dog", "year:2026 a dog"),
        ("after:2023 a dog", "after:2023 a dog"),
        ("camera:canon year:2020", "camera:canon year:2020"),
        ("note:a b", "note:a b"),
        ("a dog path:a", "a dog path:a"),
    ],
)
def test_a_value_with_spaces_is_quoted_where_it_can_be_nothing_else(word: str, text: str) -> None:
    assert text_of([word]) == text
    assert text_of([word, "snow"]) == f"{text} snow"


def test_quotes_that_are_put_back_hold_the_value_alone() -> None:
    assert parse(text_of(["a dog", "lens:EF 50mm"])) == parse('a dog lens:"EF 50mm"')


def test_any_number_of_hits_may_be_asked_for(indexed: Run) -> None:
    for query in (["name:*"], ["red", "--all"]):
        assert len(hits(indexed("search", *query, "-k", "9" * 20, "--json"))) == 3
    assert len(hits(indexed("search", "red", "--mode", "text", "-k", "9" * 20, "--json"))) == 1


def test_conditions_alone_have_nothing_to_explain(indexed: Run) -> None:
    refused = indexed("search", "name:*", "--explain")
    assert refused.exit_code == 2 and "nothing to explain" in refused.stderr
