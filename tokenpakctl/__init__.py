"""tokenpakctl: steers the daemon over its Unix socket. Plain synchronous Python, standard library and msgspec."""
