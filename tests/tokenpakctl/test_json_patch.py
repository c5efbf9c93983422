"""One string changes, every other byte stays: a table of layouts, and properties over generated ones."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpakctl.json_patch import BOM, NotJson, value_at, with_value, without_key

URL = "http://localhost:8766"
KEY = "ANTHROPIC_BASE_URL"
PAIR = f'"{KEY}": "{URL}"'

LAYOUTS = [
    pytest.param("{}", f'{{\n  "env": {{\n    {PAIR}\n  }}\n}}', id="empty object"),
    pytest.param("", f'{{\n  "env": {{\n    {PAIR}\n  }}\n}}\n', id="empty file"),
    pytest.param('{"a":1}', f'{{"a":1,"env":{{"{KEY}":"{URL}"}}}}', id="compact"),
    pytest.param('{"a": 1}', f'{{"a": 1, "env": {{{PAIR}}}}}', id="one line"),
    pytest.param('{\n  "a": 1\n}\n', f'{{\n  "a": 1,\n  "env": {{\n    {PAIR}\n  }}\n}}\n', id="two blanks"),
    pytest.param('{\n\t"a": 1\n}', f'{{\n\t"a": 1,\n\t"env": {{\n\t\t{PAIR}\n\t}}\n}}', id="tabs"),
    pytest.param(
        '{\r\n    "a": 1\r\n}\r\n',
        f'{{\r\n    "a": 1,\r\n    "env": {{\r\n        {PAIR}\r\n    }}\r\n}}\r\n',
        id="CRLF, four blanks",
    ),
    pytest.param('{\n  "env": {}\n}\n', f'{{\n  "env": {{\n    {PAIR}\n  }}\n}}\n', id="env empty"),
    pytest.param('{"env":{ }}', f'{{"env":{{{PAIR}}}}}', id="env empty, one line"),
    pytest.param(
        '{\n  "env": {\n    "X": "1"\n  },\n  "b": [1, {"env": {}}]\n}',
        f'{{\n  "env": {{\n    "X": "1",\n    {PAIR}\n  }},\n  "b": [1, {{"env": {{}}}}]\n}}',
        id="env with a key, a look-alike behind",
    ),
    pytest.param(
        f'{{"hooks": {{"env": {{"{KEY}": "no"}}}}, "env": {{"{KEY}": "https://other"}}, "z": "\\"env\\": {{"}}',
        f'{{"hooks": {{"env": {{"{KEY}": "no"}}}}, "env": {{"{KEY}": "{URL}"}}, "z": "\\"env\\": {{"}}',
        id="only the outermost env counts",
    ),
    pytest.param(
        '{\n  "env" : {\n\n    "Ü" : "é\\u0041 ☃"   ,\n  "Y":"}"  }  }',
        f'{{\n  "env" : {{\n\n    "Ü" : "é\\u0041 ☃"   ,\n  "Y":"}}",\n  "{KEY}":"{URL}"  }}  }}',
        id="odd spacing, unicode",
    ),
    pytest.param(BOM + '{"a": 1}', BOM + f'{{"a": 1, "env": {{{PAIR}}}}}', id="BOM"),
    pytest.param('{"env": {}, "env": {"A": "1"}}', f'{{"env": {{}}, "env": {{"A": "1", {PAIR}}}}}', id="env twice"),
    pytest.param(
        '{"env": {"ANTHROPIC\\u005fBASE_URL": "x"}}',
        f'{{"env": {{"ANTHROPIC\\u005fBASE_URL": "{URL}"}}}}',
        id="escaped key",
    ),
]


@pytest.mark.parametrize(("before", "after"), LAYOUTS)
def test_sets_the_value_in_the_layout_of_its_neighbours(before: str, after: str) -> None:
    assert with_value(before, "env", KEY, URL) == after
    assert value_at(after, "env", KEY) == URL


@pytest.mark.parametrize(
    "text",
    [
        "[]", "null", '"env"', "{", '{"a": 1,}', '{"a": 1} // no', '{"a": NaN}', '{"a": 1}{}', "{'a': 1}",
        '{"env": []}', '{"env": null}', '{"env": "x"}', '{"env": {"ANTHROPIC_BASE_URL": 5}}', '{"a":' + "[" * 100_000,
    ],
)  # fmt: skip
def test_refuses_what_is_not_an_object_with_an_env_object(text: str) -> None:
    with pytest.raises(NotJson):
        value_at(text, "env", KEY)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f'{{"env": {{{PAIR}}}}}', '{"env": {}}'),
        (f'{{"env": {{{PAIR}, "B": "2"}}}}', '{"env": {"B": "2"}}'),
        (f'{{"env": {{"A": "1", {PAIR}}}}}', '{"env": {"A": "1"}}'),
        (f'{{"env": {{"A": "1",\n {PAIR},\n "B": "2"}}}}', '{"env": {"A": "1",\n "B": "2"}}'),
        ('{"a": 1}', '{"a": 1}'),
    ],
)
def test_takes_the_key_out_with_its_comma(before: str, after: str) -> None:
    assert without_key(before, "env", KEY, drop_empty_section=False) == after


def test_drops_a_section_that_is_left_empty_where_it_is_ours() -> None:
    assert without_key(f'{{"a": 1, "env": {{{PAIR}}}}}', "env", KEY, drop_empty_section=True) == '{"a": 1}'
    both = f'{{"env": {{"A": "1", {PAIR}}}}}'
    assert without_key(both, "env", KEY, drop_empty_section=True) == '{"env": {"A": "1"}}'


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_documents = st.builds(
    lambda rest, env: {**rest, **({} if env is None else {"env": env})},
    st.dictionaries(st.sampled_from(["a", "env2", "é", "{", '"env"', "hooks"]), _values, max_size=4),
    st.none() | st.dictionaries(st.sampled_from(["A", KEY, "x{"]), st.text(max_size=8), max_size=3),
)
_dumps: st.SearchStrategy[dict[str, object]] = st.builds(
    dict,
    indent=st.sampled_from([None, 2, 4, "\t"]),
    ensure_ascii=st.booleans(),
    separators=st.sampled_from([None, (",", ":"), (" , ", " : ")]),
)


@given(_documents, _dumps)
def test_only_the_value_differs_after_a_change(document: dict[str, object], style: dict[str, object]) -> None:
    before = json.dumps(document, **style)  # type: ignore[arg-type]
    after = json.loads(with_value(before, "env", KEY, URL))
    env = document.get("env")
    assert after == {**document, "env": {**(env if isinstance(env, dict) else {}), KEY: URL}}
    assert list(after) == [*document] + ([] if "env" in document else ["env"])


@given(_documents, _dumps)
def test_taking_an_added_key_out_again_gives_the_text_back(
    document: dict[str, object], style: dict[str, object]
) -> None:
    env = document.get("env")
    if not document or env == {} or (isinstance(env, dict) and KEY in env):
        return  # there the layout inside the braces is made anew; the bytes come from the record
    before = json.dumps(document, **style)  # type: ignore[arg-type]
    added = with_value(before, "env", KEY, URL)
    assert without_key(added, "env", KEY, drop_empty_section="env" not in document) == before
