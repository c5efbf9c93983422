"""Prose loses the sentences that only say again what others say; what tells something stays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenpakd.compression.shortening import (
    NEEDLES,
    TEXTS,
    assert_says_less_or_nothing,
    assert_time_grows_with_the_text_alone,
)
from tokenpakd.compression.extract import shorten, shorten_pasted
from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate

_PLAIN = (
    "The service reads every request before the request reaches the provider.",
    "Every request passes the service and then reaches the provider.",
    "The provider reads the request that the service passes.",
    "Before the request reaches the provider, the service reads every part.",
)
_PROSE = [_PLAIN[number * 3 % 4] for number in range(160)]


def _pasted(sentences: list[str]) -> str:
    return "\n\n".join(" ".join(sentences[start : start + 8]) for start in range(0, len(sentences), 8))


def test_sentences_that_repeat_others_are_counted_and_seven_tenths_stay() -> None:
    text = _pasted(_PROSE)
    short = shorten(text, Segment.NARRATIVE)
    assert short is not None
    assert "[8 sentences left out]" in short
    assert 0.7 * estimate(text) <= estimate(short) <= 0.8 * estimate(text)


@pytest.mark.parametrize(
    "sentence",
    [
        *(f"{needle}." for needle in NEEDLES),
        "The request does not reach the provider before the service reads every part.",
        "The service reads 3 requests before every request reaches the provider.",
        "Before the request reaches the provider, Kestrel reads every part.",
        'The service reads "every part" before the request reaches the provider.',
        "The service reads the_request before every request reaches the provider.",
        "The marmot reads every request before the request reaches the provider.",
    ],
)
def test_telling_sentence_survives_everywhere(sentence: str) -> None:
    for place in range(len(_PROSE) + 1):
        short = shorten(_pasted([*_PROSE[:place], sentence, *_PROSE[place:]]), Segment.NARRATIVE)
        assert short is not None
        assert sentence in short


@pytest.mark.parametrize(
    ("old", "new"),
    [(" reaches", " \u2014 reaches"), ("request", "requête"), ("service", "сервис"), (" and then", "\xa0and then")],
)
def test_words_of_every_alphabet_count_alike(old: str, new: str) -> None:
    text = _pasted(_PROSE).replace(old, new)
    short = shorten(text, Segment.NARRATIVE)
    assert short is not None
    assert short.startswith("[8 sentences left out]\n\n")
    needle = "Before the kröte reaches the provider, the service reads every part."
    short = shorten(f"{needle} {needle}\n\n{text}", Segment.NARRATIVE)
    assert short is not None
    assert short.startswith(f"{needle} {needle}\n\n")


@pytest.mark.parametrize(
    "block",
    [
        "# The request and the provider\n" + " ".join(_PLAIN),
        "- The service reads every request before the request reaches the provider. Every request passes.",
        "1. The service reads every request before the request reaches the provider. Every request passes.",
        "> The service reads every request before the request reaches the provider. Every request passes.",
        "    The service reads every request before the request reaches the provider. Every request passes.",
        "```\nThe service reads every request before the request reaches the provider. Every request passes.\n```",
    ],
)
def test_what_is_no_running_text_stays(block: str) -> None:
    text = f"{block}\n\n{_pasted(_PROSE)}"
    short = shorten(text, Segment.NARRATIVE)
    assert short is not None
    assert short.startswith(block + "\n\n")


@pytest.mark.parametrize("tag", ["system-reminder", "command-message"])
def test_what_a_client_says_in_its_own_tags_stays(tag: str) -> None:
    assert shorten(_pasted(_PROSE), Segment.NARRATIVE) is not None
    assert shorten(f"<{tag}>\n{_pasted(_PROSE)}\n</{tag}>", Segment.NARRATIVE) is None


def test_short_prose_is_left_alone() -> None:
    assert shorten(_pasted(_PROSE[:40]), Segment.NARRATIVE) is None


@pytest.mark.parametrize("segment", [one for one in Segment if one is not Segment.NARRATIVE])
def test_other_segments_are_left_alone(segment: Segment) -> None:
    assert shorten(_pasted(_PROSE), segment) is None


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.sampled_from(Segment))
def test_says_less_or_nothing(text: str, segment: Segment) -> None:
    assert_says_less_or_nothing(shorten, text * 3, segment)


def test_time_grows_with_the_text_alone() -> None:
    assert_time_grows_with_the_text_alone(shorten, Segment.NARRATIVE)


def test_of_user_text_only_what_nobody_typed_is_touched() -> None:
    pasted = _pasted(_PROSE * 3)
    while len(pasted) < 16_000:
        pasted += "\n\n" + pasted
    assert shorten(pasted, Segment.NARRATIVE) is not None
    assert shorten_pasted(pasted, Segment.NARRATIVE) == shorten(pasted, Segment.NARRATIVE)
    assert shorten_pasted(_pasted(_PROSE)[:15_999], Segment.NARRATIVE) is None
