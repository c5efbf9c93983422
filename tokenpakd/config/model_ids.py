"""Model names as the tables of this daemon spell them, whoever sells the model."""

import re

_SELLER = re.compile(r"^.*/|^(?:[a-z-]+\.)*anthropic\.")
_DOT = re.compile(r"(?<=\d)\.(?=\d)")
_BEFORE_CLAUDE = re.compile(r"^claude-(\d+(?:-\d)?)-(opus|sonnet|haiku)")


def plain_id(model: str) -> str:
    """Yield a model's name in lower case, without a reseller's prefix; Claude's with dashes and the line first.

    `anthropic/claude-opus-4.5` is `claude-opus-4-5`; `claude-3-5-haiku-20241022` is `claude-haiku-3-5-20241022`.
    """
    plain = _SELLER.sub("", model.strip().lower())
    if plain.startswith("claude"):
        plain = _BEFORE_CLAUDE.sub(r"claude-\2-\1", _DOT.sub("-", plain))
    return plain
