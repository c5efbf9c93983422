"""Values that stand above become pointers that say where; a reader with the documented rules finds each."""

import json
import time
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenpakd.compression.json_decoder import JsonReader
from tokenpakd.compression import json_text
from tokenpakd.compression.json_text import Document, JsonObject
from tokenpakd.compression.values import ValueIndex, name_of, pointed_at
from tokenpakd.exchange.request import Call

PEOPLE = [
    {"first_name": "Omar", "last_name": "Davis", "dob": "1982-10-19"},
    {"first_name": "Fatima", "last_name": "Patel"},
]
RECORD = {"id": "JG7FMM", "user": "omar_davis", "from": "MCO", "till": "CLT", "people": PEOPLE, "cabin": "business"}
TEXT = "It was agreed that the second leg may be changed once, free of charge, until the day before."


def _call(name: str = "get_record", label: str = '{"record_id":"JG7FMM"}') -> Call:
    return Call(name, label)


OTHER = _call(label='{"record_id":"LQ940Q"}')
UPDATE = _call("update_record", '{"record_id":"JG7FMM","cabin":"economy"}')


def _document(value: object) -> Document:
    document = json_text.read(json.dumps(value))
    assert document is not None
    return document


def _sent(*results: tuple[object, Call | None]) -> list[object]:
    """Return what becomes of results of one conversation, all of them sent so."""
    index = ValueIndex()
    found = []
    for value, call in results:
        document, is_changed = index.encode(_document(value))
        index.learn(document, call, has_pointers=is_changed)
        found.append(json.loads(json_text.written(document)))
    return found


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ('{"record_id":"JG7FMM"}', "get_record JG7FMM"),
        ('{"from":"JFK","till":"SEA","at":"2024-05-20","class":"first"}', "get_record JFK SEA 2024-05-20"),
        ('{"id":"JG7FMM","cabin":"economy","flights":[{"f…', "get_record JG7FMM economy"),
        ('{"id":17,"all":true}', "get_record 17 true"),
        ('{"query":{"id":17}}', "get_record"),
        ('{"text":"say \\"yes\\""}', "get_record"),
        ("", "get_record"),
        ("cat a.json", "get_record cat a.json"),
        ("x" * 60, "get_record " + "x" * 40),
    ],
)
def test_call_is_named_by_what_its_arguments_say(label: str, expected: str) -> None:
    assert name_of(_call(label=label)) == expected


def test_value_that_stands_above_is_pointed_at() -> None:
    other = {"id": "LQ940Q", "people": PEOPLE, "price": 7}
    assert _sent((RECORD, _call()), (other, OTHER))[1] == {
        "id": "LQ940Q",
        "people": "[same as in your earlier get_record JG7FMM]",
        "price": 7,
    }


def test_long_string_that_stands_above_is_pointed_at() -> None:
    first, other = {"id": 1, "terms": TEXT}, {"id": 2, "terms": TEXT}
    assert _sent((first, _call()), (other, OTHER))[1] == {
        "id": 2,
        "terms": "[same as in your earlier get_record JG7FMM]",
    }


def test_record_with_a_few_changes_says_those() -> None:
    changed = {**RECORD, "cabin": "economy", "status": "changed"}
    assert _sent((RECORD, _call()), (changed, UPDATE))[1] == {
        "id": "JG7FMM",
        "cabin": "economy",
        "status": "changed",
        "_other_keys": "[same as in your earlier get_record JG7FMM]",
    }


def test_changes_within_an_object_are_said_there() -> None:
    first = {"ok": True, "data": RECORD}
    second = {"ok": False, "data": {**RECORD, "cabin": "economy"}}
    assert _sent((first, _call()), (second, UPDATE))[1] == {
        "ok": False,
        "data": {"id": "JG7FMM", "cabin": "economy", "_other_keys": "[same as in your earlier get_record JG7FMM]"},
    }


def test_record_read_again_after_a_change_points_at_the_latest() -> None:
    changed = {**RECORD, "user": "fatima_patel", "people": PEOPLE[::-1]}
    third = {"id": "LQ940Q", "people": PEOPLE[::-1]}
    sent = _sent((RECORD, _call()), (changed, _call()), (third, OTHER))
    assert sent[2] == {"id": "LQ940Q", "people": "[same as in your latest get_record JG7FMM]"}


def test_value_that_only_an_overtaken_result_holds_is_sent_again() -> None:
    changed = {**RECORD, "people": PEOPLE[::-1]}
    third = {"id": "LQ940Q", "people": PEOPLE}
    assert _sent((RECORD, _call()), (changed, _call()), (third, OTHER))[2] == third


@pytest.mark.parametrize("latest", [{"record": {}}, {"record": {"people": None}}])
def test_latest_result_counts_though_its_object_says_nothing(latest: object) -> None:
    first, second = {"record": {"people": PEOPLE}}, {"record": {"people": PEOPLE[::-1]}}
    third = {"id": 3, "record": {"people": PEOPLE[::-1]}}
    sent = _sent((first, _call()), (second, _call()), (latest, _call()), (third, OTHER))
    assert sent[3] == third
    # A list at that place is no object of which a reader could think.
    sent = _sent((first, _call()), (second, _call()), ({"record": [1]}, _call()), (third, OTHER))
    assert cast(dict[str, object], sent[3])["record"] != third["record"]


def test_pointer_never_points_at_a_pointer() -> None:
    results = [({"id": number, "people": PEOPLE}, _call(label=f'{{"record_id":"R{number}"}}')) for number in range(4)]
    for sent in _sent(*results)[1:]:
        assert cast(dict[str, object], sent)["people"] == "[same as in your earlier get_record R0]"


def test_changed_record_is_never_the_one_others_are_told_from() -> None:
    cabins = ["business", "economy", "first"]
    sent = _sent(*(({**RECORD, "cabin": cabin}, _call(name)) for name, cabin in zip("abc", cabins, strict=True)))
    assert [cast(dict[str, object], each).get("_other_keys") for each in sent] == [
        None,
        "[same as in your earlier a JG7FMM]",
        "[same as in your earlier a JG7FMM]",
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"id": 1, "people": PEOPLE}, {"id": 2, "persons": PEOPLE}),
        ({"id": 1, "in": {"people": PEOPLE}}, {"id": 2, "people": PEOPLE}),
        ([{"people": PEOPLE}], [{"people": PEOPLE}]),
        ({"all": [{"people": PEOPLE}]}, {"all": [{"people": PEOPLE}, 1]}),
        (
            {"id": 1, "size": [1.0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]},
            {"id": 2, "size": [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]},
        ),
        ({"id": 1, "flags": [True] * 30}, {"id": 2, "flags": [1] * 30}),
        ({"id": 1, "place": {"x": 1, "y": 2}}, {"id": 2, "place": {"x": 1, "y": 2}}),
        (RECORD, {"cabin": "x", **{key: RECORD[key] for key in reversed(RECORD) if key != "people"}}),
    ],
    ids=["other key", "other path", "list", "in a list", "other spelling", "other type", "short", "other order"],
)
def test_what_differs_or_cannot_be_named_is_sent(first: object, second: object) -> None:
    assert _sent((first, _call()), (second, OTHER))[1] == second


def test_document_with_our_words_is_neither_changed_nor_pointed_at() -> None:
    odd = {"id": 1, "people": PEOPLE, "note": "[same as in your earlier get_record X]"}
    keyed = {"id": 1, "people": PEOPLE, "_other_keys": 1}
    for strange in (odd, keyed):
        plain = {"id": 2, "people": PEOPLE}
        assert _sent((plain, _call()), (strange, OTHER))[1] == strange
        assert _sent((strange, _call()), (plain, OTHER))[1] == plain
        # A reader could take it for a result under this name, so the name says nothing any more.
        assert _sent((plain, _call()), (strange, _call()), ({"id": 3, "people": PEOPLE}, OTHER))[2] == {
            "id": 3,
            "people": PEOPLE,
        }


def test_result_of_an_unknown_call_is_not_pointed_at() -> None:
    assert _sent((RECORD, None), (RECORD, None))[1] == RECORD


def test_too_wide_and_too_deep_objects_are_left_alone() -> None:
    wide = {str(number): PEOPLE for number in range(300)}
    assert _sent((wide, _call()), (wide, OTHER))[1] == wide
    deep: object = {"people": PEOPLE}
    for _ in range(20):
        deep = {"in": deep}
    assert _sent((deep, _call()), ({"also": 1, "in": cast(dict[str, object], deep)["in"]}, OTHER))[1] == {
        "also": 1,
        "in": "[same as in your earlier get_record JG7FMM]",
    }


def test_rolling_back_is_as_if_never_learned() -> None:
    index = ValueIndex()
    index.learn(_document({"id": 1, "people": PEOPLE[::-1]}), OTHER)
    before = _state(index)
    mark = index.mark()
    index.learn(_document(RECORD), _call())
    index.learn(_document({"_other_keys": 1}), OTHER)
    index.learn(_document({**RECORD, "cabin": "x"}), _call())
    assert index.encode(_document({"id": 9, "people": PEOPLE}))[1]
    index.rollback(mark)
    assert _state(index) == before
    assert index.mark() == mark
    assert not index.encode(_document({"id": 9, "people": PEOPLE}))[1]
    index.rollback(mark + 5)
    assert _state(index) == before


def _state(index: ValueIndex) -> list[object]:
    shelves = (index._objects._objects, *index._shelves())
    return [
        index.entries,
        *(({key: [*listed] for key, listed in shelf._lists.items()}, [*shelf._order]) for shelf in shelves),
    ]


LEAVES = st.sampled_from(
    [{}, [], PEOPLE, PEOPLE[::-1], TEXT, TEXT[::-1], 1, True, "short", None, {"a": PEOPLE, "b": TEXT}, 1.5]
)
OBJECTS = st.recursive(
    st.dictionaries(st.sampled_from("abcdef"), LEAVES, max_size=6),
    lambda inner: st.dictionaries(st.sampled_from("abcdef"), LEAVES | inner, max_size=6),
    max_leaves=4,
)
CALLS = st.sampled_from([_call(), OTHER, UPDATE, _call(label=""), None])


@st.composite
def _conversations(draw: st.DrawFn) -> list[tuple[JsonObject, Call | None]]:
    records = draw(st.lists(OBJECTS, min_size=1, max_size=3))
    results = []
    for _ in range(draw(st.integers(1, 7))):
        record = {**draw(st.sampled_from(records)), **draw(st.dictionaries(st.sampled_from("adg"), LEAVES, max_size=2))}
        results.append((cast(JsonObject, record), draw(CALLS)))
    return results


@given(_conversations(), st.lists(st.booleans(), min_size=7, max_size=7))
@settings(max_examples=200)
def test_reader_finds_every_value(results: list[tuple[JsonObject, Call | None]], kept: list[bool]) -> None:
    index, reader = ValueIndex(), JsonReader()
    for (value, call), is_kept in zip(results, kept, strict=False):
        document = _document(value)
        short, is_changed = index.encode(document)
        assert index.encode(document) == (short, is_changed)
        assert len(json_text.written(short)) <= len(json_text.written(document))
        assert json.loads(json_text.written(short)) is not None
        assert not is_changed or index.encode(short) == (short, False)
        if is_kept:
            short, is_changed = document, False
        index.learn(short, call, has_pointers=is_changed)
        assert reader.read(json_text.written(short), call, has_pointers=is_changed) == json_text.written(document)


@given(_conversations(), st.integers(0, 6))
@settings(max_examples=100)
def test_rolling_back_any_results_is_as_if_never_learned(
    results: list[tuple[JsonObject, Call | None]], count: int
) -> None:
    index, fresh = ValueIndex(), ValueIndex()
    for value, call in results[:count]:
        for each in (index, fresh):
            document, is_changed = each.encode(_document(value))
            each.learn(document, call, has_pointers=is_changed)
    mark = index.mark()
    for value, call in results:
        document, is_changed = index.encode(_document(value))
        index.learn(document, call, has_pointers=is_changed)
    index.rollback(mark)
    assert _state(index) == _state(fresh)


@pytest.mark.parametrize("pointer", ["[same as in your earlier get_record JG7FMM]", "[same as in your latest x]"])
def test_pointer_says_which_result_and_whose(pointer: str) -> None:
    word, name = pointed_at(pointer)
    assert f"[same as in your {word} {name}]" == pointer


def test_many_results_of_one_call_cost_no_more_each() -> None:
    index = ValueIndex()
    began = time.process_time()
    text_bytes = 0
    for number in range(2_000):
        document = _document({**RECORD, "cabin": f"cabin {number}", "people": [*PEOPLE, {"seat": number}]})
        text_bytes += len(json_text.written(document))
        short, is_changed = index.encode(document)
        index.learn(short, _call(), has_pointers=is_changed)
    # Ten times the budget: another process must not fail it, quadratic work would.
    assert time.process_time() - began < 3 * text_bytes / 1e6 + 0.5


def test_hostile_documents_cost_no_more_than_their_length() -> None:
    deep: object = ["x y"] * 100_000
    for _ in range(60):
        deep = {"a": deep}
    wide = {str(number): number for number in range(100_000)}
    for value in (deep, wide, {"a": {str(number): {"b": PEOPLE} for number in range(250)}}):
        index = ValueIndex()
        document = _document(value)
        began = time.process_time()
        for _ in range(2):
            short, is_changed = index.encode(document)
            index.learn(short, _call(), has_pointers=is_changed)
        assert time.process_time() - began < 6 * max(len(json_text.written(document)) / 1e6, 0.3)
