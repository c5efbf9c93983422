"""What a conversation keeps: its key, the mode it began with, and whether the provider's cached prefix went on.

A change of mode in the middle would rewrite what was already sent and throw the provider's cache away; so a
conversation is pinned to the mode of its first request. Pins hold keyed hashes, never text.
"""

import hashlib
import re
from collections.abc import Sequence

import msgspec

from tokenpakd.compression.conversation import Conversation, Verdict
from tokenpakd.exchange.request import Look
from tokenpakd.exchange.row import Pin
from tokenpakd.tip.modes import Mode

_KEY_BYTES = 16
_LENGTH_BYTES = 8
_SHARE_DIGITS = 8

# What a client may write differently on a later turn, although the provider reads the same: a marker that moves, a
# string that becomes a list with one text block, blanks.
_MARKER = re.compile(rb',\s*"cache_control"\s*:\s*\{[^{}]*\}|"cache_control"\s*:\s*\{[^{}]*\}\s*,?')
_WRAPPING = re.compile(rb'\[\s*\{\s*"type"\s*:\s*"text"\s*,\s*"text"\s*:|\}\s*\](?=\s*[,}]|\s*\Z)|\s+')
_CLOSING = b"]} \t\r\n"
_MARKERS_BYTES = 4_096


def conversation_key(opening: tuple[bytes, ...], salt: bytes) -> str:
    """Return 32 hex digits for an opening, the same as long as the salt is; 1 ms per MB.

    Parts are hashed with their lengths: text cannot move from one into the next. A salt longer than 64 bytes is
    hashed first.
    """
    key = salt if len(salt) <= hashlib.blake2b.MAX_KEY_SIZE else hashlib.blake2b(salt).digest()
    digest = hashlib.blake2b(key=key, digest_size=_KEY_BYTES)
    for part in opening:
        digest.update(len(part).to_bytes(_LENGTH_BYTES, "big"))
        digest.update(part)
    return digest.hexdigest()


def parse_mode(value: str) -> Mode | None:
    """Return the mode a header or a stored pin names; None when it names none."""
    try:
        return Mode(value.strip().lower())
    except ValueError:
        return None


def is_held_out(conversation: str, share: float) -> bool:
    """Say whether a conversation belongs to the share that is sent uncompressed, to compare with; by its key alone."""
    return int(conversation[:_SHARE_DIGITS], 16) < share * 16.0**_SHARE_DIGITS


def effective_mode(header: Mode | None, pin: Pin | None, daemon_mode: Mode) -> Mode:
    """Return the mode of one request: the header's, else the conversation's, else the daemon's.

    A pin of a mode that this version does not know counts as none.
    """
    if header is not None:
        return header
    pinned = parse_mode(pin.mode) if pin is not None else None
    return daemon_mode if pinned is None else pinned


class LastRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation's request before this one."""

    body: bytes
    look: Look
    verdicts: tuple[Verdict, ...]
    at_unix_ms: int
    raw_tokens: int


def last_request(conversation: Conversation | None) -> LastRequest | None:
    """Return what the conversation's last request was, before this one is worked into it."""
    if conversation is None or conversation.look is None:
        return None
    return LastRequest(
        body=conversation.body,
        look=conversation.look,
        verdicts=tuple(conversation.verdicts),
        at_unix_ms=conversation.at_unix_ms,
        raw_tokens=conversation.raw_tokens,
    )


def prefix_break(
    last: LastRequest | None,
    body: bytes,
    look: Look,
    *,
    verdicts: Sequence[Verdict],
    shared: int,
    idle_s: float,
    ttl_s: float,
) -> str | None:
    """Return who broke the prefix that the provider keeps: "none", "client", "us", "ttl", "model" or "tools".

    None where no earlier request of the conversation is remembered. `shared`: how many spans both begin with.
    """
    if last is None:
        return None
    if last.look.model != look.model:
        return "model"
    if not _is_same_frame(last, body, look):
        return "tools"
    if shared < len(last.look.spans) or not _is_same_between(last, body, look, shared):
        return "client"
    if any(old.literal != new.literal for old, new in zip(last.verdicts, verdicts[:shared], strict=False)):
        return "us"
    return "ttl" if idle_s > ttl_s else "none"


def _is_same_frame(last: LastRequest, body: bytes, look: Look) -> bool:
    if len(last.look.frame) != len(look.frame):
        return False
    return all(
        _is_same(last.body[old_start:old_end], body[start:end])
        for (old_start, old_end), (start, end) in zip(last.look.frame, look.frame, strict=True)
    )


def _is_same_between(last: LastRequest, body: bytes, look: Look, shared: int) -> bool:
    """Say whether what stands between the shared spans is the same too: the model's own words, roles, ids."""
    old_at, new_at = last.look.messages[0], look.messages[0]
    for old, new in zip(last.look.spans[:shared], look.spans[:shared], strict=True):
        if not _is_same(last.body[old_at : old.start], body[new_at : new.start]):
            return False
        old_at, new_at = old.end, new.end
    # What stood behind the last one, a picture for example, goes on in the new request.
    rest = last.body[old_at : last.look.messages[1]]
    if body.startswith(rest.rstrip(_CLOSING), new_at):
        return True
    now = body[new_at : new_at + len(rest) + _MARKERS_BYTES]
    return _plain(now).startswith(_plain(rest).rstrip(_CLOSING))


def _is_same(before: bytes, now: bytes) -> bool:
    return before == now or _plain(before) == _plain(now)


def _plain(between: bytes) -> bytes:
    return _WRAPPING.sub(b"", _MARKER.sub(b"", between))
