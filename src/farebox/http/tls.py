"""Owns TLS contexts: towards vendors always verified, TLS 1.2 or later, HTTP/1.1 only; refuses to weaken any of it."""

import ssl
from pathlib import Path


def client_context(cafile: str | Path | None = None) -> ssl.SSLContext:
    """For connections to vendors. `cafile` adds trust in a private authority, it never replaces verification."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    if cafile is not None:
        context.load_verify_locations(cafile=str(cafile))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_COMPRESSION
    return context


def server_context(certificate: str | Path, key: str | Path) -> ssl.SSLContext:
    """For clients of the house, when it is not behind a TLS terminator."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(str(certificate), str(key))
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context
