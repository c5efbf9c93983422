"""Point a client at the daemon, or take that back. Shows a diff first; writes with --apply or --revert only."""

from __future__ import annotations

import os

from tokenpakctl import integration, settings_file
from tokenpakctl.daemon_url import client_url
from tokenpakctl.integration import Change
from tokenpakctl.json_patch import NotJson
from tokenpakctl.render import plain, plain_lines
from tokenpakctl.session import OK, USAGE, Failed, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_CLIENT = "claude-code"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("client", choices=(_CLIENT,), help="which client")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--apply", action="store_true", help="write the change (without it, it is only shown)")
    action.add_argument("--revert", action="store_true", help="take the change back")
    parser.add_argument("--url", metavar="URL", help="the daemon's address (that of the running daemon)")


def run(options: argparse.Namespace, session: Session) -> int:
    url, url_source = _url(options.url, session)
    path = settings_file.claude_code(session.environ)
    record_path = settings_file.record_path(str(session.paths.backups), _CLIENT, path)
    try:
        current = settings_file.read(path)
        record = settings_file.load_record(record_path)
        if options.revert:
            change = integration.decide_revert(current, url, record)
        else:
            change = integration.decide_apply(
                path, current, url, record, settings_file.missing_folders(os.path.realpath(path))
            )
        shown = integration.diff(path, change.before, change.after)
        if shown and not session.as_json:
            session.line(plain_lines(shown).rstrip("\n"))
        if options.apply and change.action == "apply":
            _apply(change, path, record_path)
        elif options.revert:
            _revert(change, path, record_path)
    except NotJson as exc:
        hint = "Repair the file (`python3 -m json.tool` names the place), then run this again."
        raise Failed(f"{path} is not usable, nothing was written: {exc}", hint, code="bad_settings") from exc
    except settings_file.FileChanged as exc:
        raise Failed(str(exc), "Run the same command again.", code="settings_file") from exc
    except settings_file.Unreadable as exc:
        raise Failed(str(exc), f"Look at `ls -ld {path}`.", code="settings_file") from exc
    except OSError as exc:
        message = f"{exc.filename or path} cannot be written: {exc.strerror}"
        raise Failed(message, "Run `tokenpakctl doctor`.", code="settings_file") from exc
    _report(change, path, url, url_source, shown, record_path, options, session)
    return OK


def _url(given: str | None, session: Session) -> tuple[str, str]:
    if given is None:
        return client_url(session)
    scheme, _, rest = given.partition("://")
    if scheme not in ("http", "https") or not rest.strip("/") or not given.isprintable() or " " in given:
        raise Failed(f"--url {plain(given)} is not an http address", "Leave --url out.", code="usage", exit_code=USAGE)
    return given.rstrip("/"), "--url"


def _apply(change: Change, path: str, record_path: str) -> None:
    """Write the record first: a change without a way back must not exist, not even after a crash in between."""
    assert change.record is not None
    assert change.after is not None
    settings_file.save_record(record_path, change.record)
    settings_file.write(path, change.after, expected=change.before)


def _revert(change: Change, path: str, record_path: str) -> None:
    if change.action != "nothing":
        assert change.before is not None
        if change.after is None:
            created = change.record.created_folders if change.record is not None else []
            settings_file.remove(path, expected=change.before, created_folders=created)
        else:
            settings_file.write(path, change.after, expected=change.before)
    settings_file.forget_record(record_path)


def _report(
    change: Change,
    path: str,
    url: str,
    url_source: str,
    shown: str,
    record_path: str,
    options: argparse.Namespace,
    session: Session,
) -> None:
    wrote = change.action not in ("already", "nothing") and (options.apply or options.revert)
    result: dict[str, object] = {
        "client": _CLIENT,
        "path": path,
        "url": url,
        "action": change.action,
        "written": wrote,
        "previous": None if change.previous is None else integration.masked(change.previous),
        "backup": record_path if wrote and options.apply else None,
        "diff": shown,
    }
    session.emit(result, _words(change, path, url, url_source, record_path, wrote=wrote))


def _words(change: Change, path: str, url: str, url_source: str, record_path: str, *, wrote: bool) -> str:
    before = "" if change.previous is None else f" It pointed at {plain(integration.masked(change.previous))} before."
    if change.action == "already":
        return f"{path} already points at {url}; nothing to do."
    if change.action == "nothing":
        return f"nothing to take back in {path}: ANTHROPIC_BASE_URL is not ours."
    if change.action == "restore":
        gone = f"{path} is gone again, as before." if change.after is None else f"{path} is byte for byte as it was."
        return gone + " Start a new Claude Code session."
    if change.action == "take_back":
        kept = f"{path} was changed by others since: only ANTHROPIC_BASE_URL was taken back."
        return kept + " Start a new Claude Code session."
    if not wrote:
        apply = f"Write it with `tokenpakctl integrate {_CLIENT} --apply`."
        return f"Nothing was written.{before} {apply} Port from {url_source}."
    return (
        f"Claude Code now goes through {url} (port from {url_source}).{before} Start a new session.\n"
        f"Backup: {record_path}. Take it back with `tokenpakctl integrate {_CLIENT} --revert`."
    )
