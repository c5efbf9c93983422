"""A recorded conversation through the engine, request by request, and what it would have been billed."""
