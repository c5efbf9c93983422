"""Where the log goes."""

import os
from pathlib import Path

from tokenpakd.control.verbs.logs import goes_to_journal


def test_a_stream_to_the_journal_is_told_from_an_inherited_name(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("wb") as stream:
        status = os.fstat(stream.fileno())
        assert goes_to_journal({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}, stream.fileno())
        assert not goes_to_journal({"JOURNAL_STREAM": "9:9"}, stream.fileno())
        assert not goes_to_journal({}, stream.fileno())
