"""Owns the proof that a snapshot survives the wire, names its content, and takes in an operator's servers."""

import msgspec
import pytest

from farebox.catalogue.load import load_builtin
from farebox.catalogue.lookup import resolve
from farebox.catalogue.snapshot import decode, encode, with_server, with_toll
from farebox.catalogue.types import Server, ServerModel
from farebox.ir.usage import Usage
from farebox.money.rating import rate

SNAPSHOT = load_builtin()
LOCAL = Server(slug="local", name="This machine", base_url="http://127.0.0.1:9/v1")


def test_a_snapshot_survives_the_wire() -> None:
    assert decode(encode(SNAPSHOT)) == SNAPSHOT
    assert encode(decode(encode(SNAPSHOT))) == encode(SNAPSHOT)


def test_equal_values_are_one_object_after_decoding() -> None:
    offers = [offer for each in decode(encode(SNAPSHOT)).endpoints.values() for offer in each]
    for name in ("parameters", "policy"):
        values = [getattr(offer, name) for offer in offers]
        assert len({id(value) for value in values}) == len(set(values))
    sheets = [sheet for offer in offers for sheet in offer.sheets]
    assert len({id(sheet) for sheet in sheets}) == len({sheet.version for sheet in sheets})


def test_the_version_is_the_contents() -> None:
    assert load_builtin().version == SNAPSHOT.version
    assert with_toll(SNAPSHOT, 300).version != SNAPSHOT.version
    assert with_toll(SNAPSHOT, SNAPSHOT.toll_bps) == SNAPSHOT


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_half_a_snapshot_is_none(cut: int) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(encode(SNAPSHOT)[:cut])


def test_another_format_is_refused() -> None:
    data = bytearray(encode(SNAPSHOT))
    assert data[1] == 1  # the first member of the array
    data[1] = 2
    with pytest.raises(msgspec.ValidationError, match="format 2"):
        decode(bytes(data))


def test_a_server_becomes_a_provider_with_endpoints() -> None:
    offered = [
        ServerModel(id="smol", name="Smol", context_length=2048, licence="Apache-2.0"),
        ServerModel(id="oss", slug="openai/gpt-oss-20b"),
        ServerModel(id="vectors", kind="embedding"),
    ]
    found = with_server(SNAPSHOT, LOCAL, offered)
    assert found.version != SNAPSHOT.version
    assert decode(encode(found)) == found
    smol = resolve(found, "local/smol")
    assert smol is not None
    assert (smol.model.licence, smol.endpoints[0].vendor, smol.endpoints[0].vendor_model) == (
        "Apache-2.0",
        "local",
        "smol",
    )
    assert found.aliases["smol"] == "local/smol"
    known = found.endpoints["openai/gpt-oss-20b"]
    assert len(known) == len(SNAPSHOT.endpoints["openai/gpt-oss-20b"]) + 1
    assert found.models["openai/gpt-oss-20b"] == SNAPSHOT.models["openai/gpt-oss-20b"]
    assert found.endpoints["local/vectors"][0].dialect == "openai_embeddings"
    assert found.servers == {"local": LOCAL}
    free = rate(smol.endpoints[0].sheets[0], Usage({"input_fresh": 10, "output_text": 10}), at_s=0, toll_bps=500)
    assert free.total_nano == 0


def test_naming_a_server_again_replaces_what_it_offered() -> None:
    once = with_server(SNAPSHOT, LOCAL, [ServerModel(id="a"), ServerModel(id="b")])
    twice = with_server(once, LOCAL, [ServerModel(id="a")])
    assert len(twice.endpoints["local/a"]) == 1
    assert twice.endpoints["local/b"] == ()
