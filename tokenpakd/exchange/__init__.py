"""The nouns that travel: request, reply, plan, usage, row, faults. Frozen structs, no behaviour that waits."""
