"""The role by sub-command: serve (the default), worker, demo, tool. Imports only what the chosen role needs."""

import sys

USAGE = """\
usage: tokenpakd [serve] [--port N] [--ws-port N] [--mode strict|hybrid|aggressive] [--config FILE]
                 [--foreground] [--check-config] [--version]
       tokenpakd demo [...]
       tokenpakd tool replay FILE [...]
"""
EXIT_USAGE = 64


def main() -> int:
    """Run the role that the command line names and yield its exit code."""
    arguments = sys.argv[1:]
    role = arguments[0] if arguments and not arguments[0].startswith("-") else "serve"
    rest = arguments[1:] if arguments and arguments[0] == role else arguments
    if role == "serve":
        from tokenpakd.processes import supervisor

        return supervisor.main(rest)
    if role == "worker":
        return _worker(rest)
    if role == "demo":
        from tokenpakd.demo.main import main as demo

        return demo(rest)
    if role == "tool":
        from tokenpakd.processes import tool

        return tool.main(rest)
    sys.stderr.write(f"tokenpakd: unknown command {role!r}\n{USAGE}")
    return EXIT_USAGE


def _worker(arguments: list[str]) -> int:
    """Run a worker: `worker KIND --link-fd N [--http-fds a,b --ws-fds c,d]`. For the supervisor only."""
    options = dict(zip(arguments[1::2], arguments[2::2], strict=False))
    try:
        link_fd = int(options["--link-fd"])
        http_fds, ws_fds = (_fds(options.get(name, "")) for name in ("--http-fds", "--ws-fds"))
    except (KeyError, ValueError):
        sys.stderr.write("tokenpakd worker is started by the daemon, not by hand. Run `tokenpakd`.\n")
        return EXIT_USAGE
    if arguments[0] == "vault":
        from tokenpakd.processes import vault

        vault.main(link_fd)
        return 0
    if arguments[0] == "data-plane":
        from tokenpakd.processes import data_plane

        data_plane.main(link_fd, http_fds, ws_fds)
        return 0
    sys.stderr.write(f"tokenpakd: no worker is called {arguments[0]!r}\n")
    return EXIT_USAGE


def _fds(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


if __name__ == "__main__":
    sys.exit(main())
