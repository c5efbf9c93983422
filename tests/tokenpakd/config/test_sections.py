"""What a key says of itself, and what follows from a section."""

import msgspec
import pytest

from tokenpakd.config.sections import Listen, Provider, about


def test_a_key_carries_its_variable_and_when_it_takes_effect() -> None:
    meta = about("What it does.", ge=1, le=2, env="TOKENPAK_X", apply="restart")
    assert (meta.description, meta.ge, meta.le) == ("What it does.", 1, 2)
    assert meta.extra == {"env": "TOKENPAK_X", "apply": "restart"}
    assert about("What it does.", hint="Do this.").extra == {"env": None, "apply": "live", "hint": "Do this."}


@pytest.mark.parametrize(
    ("listen", "port"),
    [(Listen(), 8767), (Listen(port=0), 0), (Listen(port=9000), 9001), (Listen(ws_port=5), 5), (Listen(ws_port=0), 0)],
)
def test_the_websocket_port_follows_the_port_unless_it_is_set(listen: Listen, port: int) -> None:
    assert listen.websocket_port == port


def test_a_worker_that_is_sent_an_unknown_key_refuses_it() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"endpoit": "https://a"}, Provider)
