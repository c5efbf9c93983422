"""The three compression modes."""

import enum


class Mode(enum.StrEnum):
    """How much may be removed from a request; strict removes nothing."""

    STRICT = "strict"
    HYBRID = "hybrid"
    AGGRESSIVE = "aggressive"
