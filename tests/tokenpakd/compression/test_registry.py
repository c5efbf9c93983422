"""What runs in which mode."""

import pytest

from tokenpakd.compression.registry import Loss, compressor_set, set_name
from tokenpakd.tip.modes import Mode


def test_strict_has_no_set() -> None:
    assert set_name(Mode.STRICT) == ""
    assert compressor_set("") is None


def test_hybrid_loses_nothing() -> None:
    found = compressor_set(set_name(Mode.HYBRID))
    assert found is not None
    assert not found.is_legacy
    assert {each.loss for each in found.block_local} == {Loss.NONE}


def test_aggressive_begins_with_all_that_hybrid_does() -> None:
    hybrid, aggressive = (compressor_set(set_name(mode)) for mode in (Mode.HYBRID, Mode.AGGRESSIVE))
    assert hybrid is not None
    assert aggressive is not None
    assert set(hybrid.block_local) <= set(aggressive.block_local)


@pytest.mark.parametrize("name", ["repeats-1", "hybrid-1", "aggressive-1"])
def test_a_set_stays_known_under_the_name_that_conversations_are_pinned_to(name: str) -> None:
    found = compressor_set(name)
    assert found is not None
    assert found.name == name


def test_a_set_of_a_later_version_is_none_of_ours() -> None:
    assert compressor_set("hybrid-99") is None


def test_every_compressor_has_one_name_and_one_meaning() -> None:
    names: dict[str, object] = {}
    for mode in (Mode.HYBRID, Mode.AGGRESSIVE):
        found = compressor_set(set_name(mode))
        assert found is not None
        for each in (*found.block_local, *found.user_text):
            assert names.setdefault(each.name, each.shorten) is each.shorten
            assert each.name.isidentifier(), "names are joined by + in what is recorded"


def test_the_user_s_own_words_lose_nothing_in_hybrid() -> None:
    found = compressor_set(set_name(Mode.HYBRID))
    assert found is not None
    assert not [each for each in found.user_text if each.loss is Loss.SOME]
