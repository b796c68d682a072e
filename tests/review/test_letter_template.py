"""A lender's own letter: tried when the service starts, escaped, and unable to do more than write."""

from dataclasses import replace
from pathlib import Path

import pytest

from credit_scoring.errors import ConfigurationError
from credit_scoring.review.letter_template import SAMPLE, LetterTemplate


def test_a_lenders_own_template_takes_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "own.html").write_text("<p>Prezado cliente, {{ letter.protocol }}</p>", encoding="utf-8")
    letter = replace(SAMPLE, protocol="<b>&P-7")
    assert LetterTemplate(tmp_path / "own.html").render(letter) == "<p>Prezado cliente, &lt;b&gt;&amp;P-7</p>"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{% if %}", "Expected an expression"),
        ("{{ letter.risk }}", "no attribute 'risk'"),
        ("{{ letter.__class__.__mro__ }}", "unsafe"),
        ("{% include 'base.html' %}", "no loader"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_before_a_letter_is_due(
    tmp_path: Path, content: str, said: str
) -> None:
    (tmp_path / "own.html").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"CREDIT_SCORING_LETTER_TEMPLATE=.*own\.html") as caught:
        LetterTemplate(tmp_path / "own.html")
    assert said in str(caught.value)


def test_a_template_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        LetterTemplate(tmp_path / "own.html")
