"""What kind of text a block is: it decides which compressors may read it."""

import enum

from tokenpakd.exchange.request import Call


class Segment(enum.StrEnum):
    """Content classes. `UNKNOWN` is plain tool output of no recognised form."""

    NARRATIVE = "narrative"
    CODE = "code"
    CONFIG = "config"
    FILE_VIEW = "file_view"
    """A file or part of it as a reading tool showed it: code, configuration or prose, maybe with line numbers."""
    DIFF = "diff"
    LOG = "log"
    TEST = "test"
    LISTING = "listing"
    SEARCH = "search"
    JSON = "json"
    UNKNOWN = "unknown"
    PROTECTED = "protected"


def segment_of(text: str, call: Call | None) -> Segment:
    """Return the class of a tool result, from the call that brought it and its own beginning."""
    if call is not None and call.is_protected:
        return Segment.PROTECTED
    return Segment.JSON if text[:1] in ("{", "[") else Segment.UNKNOWN
