import msgspec

from tokenpakd.config.load import Loaded, Origin, diff
from tokenpakd.config.schema import Config
from tokenpakd.processes.standing import by_effect, keeping, with_ports


def test_keys_are_grouped_by_when_they_take_effect() -> None:
    changed = [("mode", "live"), ("workers", "restart"), ("listen.port", "daemon"), ("retry.attempts", "live")]
    assert by_effect(changed) == {  # type: ignore[arg-type]
        "live": ("mode", "retry.attempts"),
        "restart": ("workers",),
        "daemon": ("listen.port",),
    }


def test_keys_that_need_a_new_daemon_stay_with_their_origin_and_the_rest_is_fresh() -> None:
    standing = Loaded(Config(), {"listen.port": Origin("default"), "mode": Origin("default")}, None)
    listen = msgspec.structs.replace(standing.config.listen, port=9000, max_connections=7)
    fresh_config = msgspec.structs.replace(standing.config, listen=listen, database="/x", request_timeout=5)
    fresh = Loaded(fresh_config, {"listen.port": Origin("flag", "--port"), "mode": Origin("file")}, None)
    kept = keeping(fresh, standing, ["listen.port", "database"])
    assert set(diff(standing.config, kept.config)) == {"listen.max_connections", "request_timeout"}
    assert kept.origins == {"listen.port": Origin("default"), "mode": Origin("file")}
    assert set(diff(kept.config, fresh.config)) == {"listen.port", "database"}


def test_workers_are_told_the_ports_that_are_bound() -> None:
    listen = with_ports(Config(), 4001, 4002).listen
    assert (listen.port, listen.ws_port) == (4001, 4002)
