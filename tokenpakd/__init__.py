"""tokenpakd: the daemon. Importing it opens nothing, starts nothing and calls no network."""

__version__ = "0.1.0"
