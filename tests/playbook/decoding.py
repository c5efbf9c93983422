"""What a reader makes of a request as it was sent: every text as it was, by the documented notation alone.

The reader sees the sent request: its texts in order, each with its call. It knows how lines.py, own_lines.py,
naming.same_output, prefixes, terminal, columns and values say what they say; of the raw request it knows nothing.
Where the notation means two things, it says so.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from tests.tokenpakd.compression.json_decoder import JsonReader
from tokenpakd.compression import json_text, naming, prefixes, terminal
from tokenpakd.compression.segments import Segment, segment_of
from tokenpakd.compression.values import is_marked
from tokenpakd.exchange.request import Call, Span, SpanKind

_LINE_POINTER = re.compile(
    r'\[(\d+) lines as (?:in (.*)|above)(?: (?:1st|2nd|3rd))? "(.*)"(, without numbers)?\]', re.DOTALL
)
_QUOTED = re.compile(r' (?:([123])(?:st|nd|rd) )?"(.*)"', re.DOTALL)
_BELOW_FIRST = re.compile(r"\[\+(\d+) lines as in (.*), numbers (?:([+-]\d+)|count on)\]", re.DOTALL)
_WHOLE = re.compile(r"\[same (?:output as|text as in the output of) your .*, unchanged\]", re.DOTALL)
_NUMBER = re.compile(r"( *(?:Line |L)?)(\d{1,7})( ?[\t→:|-] ?)")
_LEADING = re.compile(r" *(?:\d{1,7}[\t→:|-]|(?:Line |L)\d{1,7}: )")
_LEADING_READ = re.compile(r" *(?:\d{1,7}(?:: ?| ?\| ?|[\t→-])|(?:Line |L)\d{1,7}: )")
_NOTATION = re.compile(
    r"^\[(?:\+?\d+ lines as (?:in|above) |\d+ lines begin |line above \d+ more|same (?:output|text) )"
    r'|"_cols"|"_other_keys"|\[same as ',
    re.MULTILINE,
)
_TEXT = msgspec.json.Decoder(str)
_ARGUMENTS = msgspec.json.Decoder(dict[str, object])


class Undetermined(Exception):
    """What was sent does not say which text is meant."""


class _Line(NamedTuple):
    number: str
    content: str

    @property
    def whole(self) -> str:
        return self.number + self.content


class _Text(NamedTuple):
    """An earlier text as it was sent; None for lines that are notation."""

    names: tuple[str, ...]
    lines: list[_Line | None]


class _Answer(NamedTuple):
    call: Call
    sent: str
    is_whole: bool


def speaks_notation(text: str) -> bool:
    """Say whether a raw text holds what looks like our notation: then nobody can tell it from ours."""
    return _NOTATION.search(text) is not None


def decoded(body: bytes, spans: Sequence[Span]) -> Iterator[str | None]:
    """Yield every text of a sent request as it was before, in order; None for one that is no readable text.

    Raises:
      Undetermined: the notation does not say what is meant.
    """
    reader = _Reader()
    for span in spans:
        try:
            text = _TEXT.decode(body[span.start : span.end])
        except ValueError:
            yield None
            continue
        yield reader.read(span, text)


def is_told_back(raw: str, call: Call | None, by: Sequence[str], text: str) -> bool:
    """Say whether a text is the one that a lossless span began with: JSON without blanks, terminal as seen."""
    if text == raw:
        return True
    if {"columns", "values", "wholes"} & set(by):
        seen = terminal.render(raw, segment_of(raw, call)) if "terminal" in by else raw
        before, after = json_text.read(seen), json_text.read(text)
        if before is not None and after is not None:
            return json_text.written(before) == json_text.written(after)
    return "terminal" in by and text == terminal.render(raw, segment_of(raw, call))


class _Reader:
    def __init__(self) -> None:
        self._texts: list[_Text] = []
        self._answers: list[_Answer] = []
        self._documents = JsonReader()

    def read(self, span: Span, text: str) -> str:
        names = naming.names(span)
        if span.kind in (SpanKind.TOOL_ARGUMENT, SpanKind.TOOL_ARGUMENTS):
            self._texts += (_Text(names, _split(part)) for part in _parts(span, text))
            return text
        if span.kind is SpanKind.USER_TEXT:
            self._texts.append(_Text(names, _split(text)))
            return self._unfolded(text, self._texts[:-1], _LEADING)
        leading = _LEADING_READ if naming.spaces_numbers(span.call) else _LEADING
        whole = self._whole(text) if _WHOLE.fullmatch(text) is not None else None
        meant = text if whole is None else whole
        is_document = whole is None and segment_of(text, span.call) is not Segment.PROTECTED
        restored = self._document(meant, span.call) if is_document else None
        if restored is None:
            restored = self._document_again(meant, span.call) if whole is not None else None
        if restored is None:
            restored = terminal.restore(prefixes.restore(self._unfolded(meant, self._texts, leading)))
        self._texts.append(_Text(names, [None] if whole is not None else _split(text, leading)))
        if span.call is not None and whole is None:
            self._answers.append(_Answer(span.call, text, span.is_whole))
        return restored

    def _document(self, text: str, call: Call | None) -> str | None:
        """Return a JSON result's document where it is in our notation; it is noted in any case."""
        document = json_text.read(text, json_text.MAX_DEPTH_SENT)
        if document is None:
            return None
        plain = json_text.written(document)
        has_notation = '"_cols"' in plain or is_marked(plain)
        restored = self._documents.read(text, call, has_pointers=is_marked(plain))
        return restored if has_notation or plain == text else None

    def _document_again(self, text: str, call: Call | None) -> str | None:
        document = json_text.read(text, json_text.MAX_DEPTH_SENT)
        return None if document is None else self._documents.read_again(text, call)

    def _whole(self, text: str) -> str | None:
        """Return the output that a pointer to a whole one names; None where no call has such a name."""
        meant = {
            answer.sent
            for answer in self._answers
            if any(
                text == naming.same_output(answer.call, times=times, is_whole=is_whole)
                for times in (1, 2)
                for is_whole in (True, False)
            )
        }
        if len(meant) > 1:
            raise Undetermined(text)
        return meant.pop() if meant else None

    def _unfolded(self, text: str, earlier: list[_Text], leading: re.Pattern[str]) -> str:
        """Return a text with every pointer to lines replaced by them."""
        found: list[str] = []
        above: list[_Line | None] = []
        for line in text.split("\n"):
            pointer = _LINE_POINTER.fullmatch(line)
            below = _BELOW_FIRST.fullmatch(line)
            if pointer is not None:
                found += _agreed(line, list(self._lines(line, pointer, earlier, above)))
                above.append(None)
            elif below is not None and above and above[-1] is not None:
                found += _agreed(line, list(_following(below, above[-1], earlier)))
                above.append(None)
            else:
                above.append(_line(line, leading))
                found.append(line)
        return "\n".join(found)

    def _lines(
        self, line: str, pointer: re.Match[str], earlier: list[_Text], above: list[_Line | None]
    ) -> Iterator[list[str]]:
        count, is_bare = int(pointer[1]), pointer[4] is not None
        told = line.removeprefix(f"[{count} lines as ")[: -len(", without numbers]") if is_bare else -1]
        for where in ("above", *{f"in {name}" for text in earlier for name in text.names}):
            quoted = _QUOTED.fullmatch(told.removeprefix(where)) if told.startswith(where) else None
            if quoted is not None:
                texts = [text.lines for text in earlier if where.removeprefix("in ") in text.names]
                found = list(_begin([above] if where == "above" else texts, quoted[2]))
                if len(found) > 1 and not quoted[1]:
                    raise Undetermined(line)
                yield _from(found[int(quoted[1] or 1) - 1], count, is_bare=is_bare) if found else []


def _following(below: re.Match[str], first: _Line, earlier: list[_Text]) -> Iterator[list[str]]:
    count = int(below[1])
    for lines in (text.lines for text in earlier if below[2] in text.names):
        for place, line in enumerate(lines):
            if line is None or line.content != first.content or not _is_moved(line, below[3], first.number):
                continue
            found = [line for line in lines[place + 1 : place + 1 + count] if line is not None]
            if lines[place + 1 : place + 2] not in ([], [None]):
                yield [
                    _moved(line, int(below[3]), first.number) if below[3] else _counted(line, nth, first.number)
                    for nth, line in enumerate(found, 1)
                ]


def _is_moved(line: _Line, shift: str | None, style: str) -> bool:
    """Say whether a line's number is the one that a pointer below a line that stayed begins with."""
    number, moved = _NUMBER.fullmatch(line.number), _NUMBER.fullmatch(style)
    if number is None or shift is None:
        return number is None and shift is None
    return moved is not None and int(number[2]) + int(shift) == int(moved[2])


def _moved(line: _Line, shift: int, style: str) -> str:
    """Return a line with its number moved, written as in the text above."""
    number = _NUMBER.fullmatch(line.number)
    if number is None:
        raise Undetermined(line.whole)
    return _written(int(number[2]) + shift, style) + line.content


def _counted(line: _Line, nth: int, style: str) -> str:
    """Return a line without a number with the one that counts on from the first."""
    first = _NUMBER.fullmatch(style)
    if first is None or line.number:
        raise Undetermined(line.whole)
    return _written(int(first[2]) + nth, style) + line.content


def _written(number: int, style: str) -> str:
    like = _NUMBER.fullmatch(style)
    if like is None:
        raise Undetermined(style)
    before, digits, behind = like.groups()
    if digits.startswith("0"):
        return f"{before}{number:0{len(digits)}}{behind}"
    if before and not before.strip():
        return f"{number:{len(before) + len(digits)}}{behind}"
    return f"{before}{number}{behind}"


def _begin(texts: list[list[_Line | None]], quote: str) -> Iterator[list[_Line | None]]:
    """Yield the lines from each one on that begins with a quote."""
    for lines in texts:
        for at, line in enumerate(lines):
            if line is not None and line.content.lstrip().startswith(quote):
                yield lines[at:]


def _from(lines: list[_Line | None], count: int, *, is_bare: bool) -> list[str]:
    found = [line.content if is_bare else line.whole for line in lines[:count] if line is not None]
    return found if len(found) == count else []


def _agreed(pointer: str, meanings: list[list[str]]) -> list[str]:
    """Return what a pointer means: itself where nothing has such a name, an error where it means two things."""
    found = [meaning for meaning in meanings if meaning]
    if not meanings:
        return [pointer]
    if not found or any(meaning != found[0] for meaning in found):
        raise Undetermined(pointer)
    return found[0]


def _parts(span: Span, text: str) -> list[str]:
    if span.kind is SpanKind.TOOL_ARGUMENTS:
        try:
            return [value for value in _ARGUMENTS.decode(text).values() if isinstance(value, str)]
        except ValueError:
            pass
    return [text]


def _split(text: str, leading: re.Pattern[str] = _LEADING) -> list[_Line | None]:
    if _WHOLE.fullmatch(text) is not None:
        return [None]
    return [
        None if _LINE_POINTER.fullmatch(line) or _BELOW_FIRST.fullmatch(line) else _line(line, leading)
        for line in text.split("\n")
    ]


def _line(line: str, leading: re.Pattern[str]) -> _Line:
    number = leading.match(line)
    size = number.end() if number is not None else 0
    return _Line(line[:size], line[size:])
