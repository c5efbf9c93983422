"""Spans in, spans out. Pure functions of a block's bytes and the blocks before it."""
