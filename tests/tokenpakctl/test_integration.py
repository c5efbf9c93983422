"""revert(apply(x)) == x, and what happens when others write in between."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.tokenpakctl.test_json_patch import _documents, _dumps
from tokenpakctl.integration import KEY, decide_apply, decide_revert, diff, masked
from tokenpakctl.settings_file import Record

URL = "http://localhost:8766"


def _applied(before: bytes | None, url: str = URL, old: Record | None = None) -> tuple[bytes, Record]:
    change = decide_apply("/s.json", before, url, old, [])
    assert change.action == "apply"
    assert change.after is not None
    assert change.record is not None
    return change.after, change.record


@given(_documents, _dumps, st.sampled_from(["", "\n", "\r\n", "  \n"]), st.booleans())
def test_revert_gives_the_exact_bytes_back(
    document: dict[str, object], style: dict[str, object], ending: str, has_bom: bool
) -> None:
    text = json.dumps(document, **style) + ending  # type: ignore[arg-type]
    before = (("\ufeff" if has_bom else "") + text).encode("utf-8", "surrogatepass")
    try:
        before.decode()
    except UnicodeDecodeError:
        return
    if isinstance(document.get("env"), dict) and document["env"].get(KEY) == URL:  # type: ignore[attr-defined]
        return
    after, record = _applied(before)
    change = decide_revert(after, URL, record)
    assert change.action == "restore"
    assert change.after == before


def test_a_file_that_was_not_there_goes_away_again() -> None:
    after, record = _applied(None)
    change = decide_revert(after, URL, record)
    assert (change.action, change.after) == ("restore", None)


def test_the_second_apply_changes_nothing() -> None:
    after, record = _applied(b'{"a": 1}')
    again = decide_apply("/s.json", after, URL, record, [])
    assert (again.action, again.after) == ("already", after)


def test_a_second_port_still_reverts_to_what_stood_before_the_first() -> None:
    before = b'{"env": {"ANTHROPIC_BASE_URL": "https://gateway.example"}}'
    first, record = _applied(before)
    second, record = _applied(first, "http://localhost:9000", record)
    assert decide_revert(second, URL, record).after == before


def test_only_our_key_is_taken_back_when_others_wrote_since() -> None:
    after, record = _applied(b'{"env": {"ANTHROPIC_BASE_URL": "https://gateway.example"}}')
    touched = after.replace(b'{"env"', b'{"theme": "dark", "env"')
    change = decide_revert(touched, URL, record)
    assert change.action == "take_back"
    assert change.after == b'{"theme": "dark", "env": {"ANTHROPIC_BASE_URL": "https://gateway.example"}}'


def test_an_env_that_we_made_goes_when_it_is_left_empty() -> None:
    after, record = _applied(b'{"a": 1}')
    assert decide_revert(after.replace(b'"a": 1', b'"a": 2'), URL, record).after == b'{"a": 2}'


def test_a_value_that_somebody_else_set_since_stays() -> None:
    after, record = _applied(b"{}")
    change = decide_revert(after.replace(URL.encode(), b"https://elsewhere.example"), URL, record)
    assert change.action == "nothing"


def test_without_a_record_our_own_value_is_taken_out() -> None:
    after, _ = _applied(b'{"env": {"A": "1"}}')
    assert decide_revert(after, URL, None).after == b'{"env": {"A": "1"}}'
    assert decide_revert(b'{"env": {"A": "1"}}', URL, None).action == "nothing"
    assert decide_revert(None, URL, None).action == "nothing"


def test_the_diff_shows_no_credential() -> None:
    before = (
        b'{\n  "env": {\n    "ANTHROPIC_API_KEY": "sk-ant-1",\n    "MY_token": "t\\"op",\n'
        b'    "ANTHROPIC_BASE_URL": "https://me:pw@gw"\n  }\n}'
    )
    after, _ = _applied(before)
    shown = diff("/s.json", before, after)
    assert '-    "ANTHROPIC_BASE_URL": "https://…@gw"' in shown
    assert f'+    "ANTHROPIC_BASE_URL": "{URL}"' in shown
    assert not any(secret in shown for secret in ("sk-ant-1", "pw@", "op"))


def test_a_line_separator_inside_a_string_splits_no_line_of_the_diff() -> None:
    before = '{"a": "x\u2028y"}'.encode()
    after, _ = _applied(before)
    assert len(diff("/s.json", before, after).splitlines(keepends=False)) >= 4
    assert diff("/s.json", before, after).count("\n-") == 1


def test_masking_leaves_ordinary_values_alone() -> None:
    assert (
        masked('"model": "claude", "url": "http://localhost:8766"')
        == '"model": "claude", "url": "http://localhost:8766"'
    )
