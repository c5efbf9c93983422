"""A body taken apart."""

import json

import pytest

from tokenpakd.replay.bodies import canonical, parts, strings, texts


@pytest.mark.parametrize(
    ("body", "frame", "messages"),
    [
        (b'{"model": "m", "messages": [{"a": 1}, 2]}', (("model", b'"m"'),), (b'{"a": 1}', b"2")),
        (b'{"input": "hello", "stream": true}', (("stream", b"true"),), (b'"hello"',)),
        (b'{"contents": []}', (), ()),
        (b'{"tools": []}', (("tools", b"[]"),), ()),
    ],
)
def test_frame_and_messages(body: bytes, frame: tuple[tuple[str, bytes], ...], messages: tuple[bytes, ...]) -> None:
    assert (parts(body).frame, parts(body).messages) == (frame, messages)


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(ValueError, match="object"):
        parts(b"[]")


def test_string_and_one_text_block_are_the_same_and_markers_do_not_count() -> None:
    marked = {"cache_control": {"type": "ephemeral"}}
    result = {"type": "tool_result", "tool_use_id": "x", "content": "out"}
    spelled = [
        {"role": "user", "content": "x"},
        {"content": [{"type": "text", "text": "x"}], "role": "user"},
        {"role": "user", "content": [{"type": "text", "text": "x", **marked}]},
    ]
    assert len({canonical(json.dumps(one).encode()) for one in spelled}) == 1
    inner = [
        {"content": [result]},
        {"content": [{**result, "content": [{"type": "text", "text": "out", **marked}], **marked}]},
    ]
    assert len({canonical(json.dumps(one).encode()) for one in inner}) == 1


def test_other_text_and_a_marker_inside_arguments_do_count() -> None:
    calls = [
        {"content": [{"type": "tool_use", "id": "x", "input": value}]}
        for value in ({}, {"cache_control": "x"}, {"content": "x"}, {"content": [{"type": "text", "text": "x"}]})
    ]
    assert len({canonical(json.dumps(one).encode()) for one in calls}) == 4


def test_strings_are_what_the_model_reads() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "bash", "arguments": '{"id": "a\\nb", "n": 4713}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    assert strings(message) == ("bash", "a\nb", "4713")
    assert texts(message) == ("bash", '{"id": "a\\nb", "n": 4713}')
    used = {"content": [{"type": "tool_use", "id": "t", "name": "Read", "input": {"type": "file", "path": ["a", 1]}}]}
    assert strings(used) == ("Read", "file", "a", "1")
    assert texts(used) == ("Read", '{"type":"file","path":["a",1]}')
    assert strings({"arguments": "{half"}) == ("{half",)
