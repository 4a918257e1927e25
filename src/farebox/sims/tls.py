"""Certificates for the listeners whose TLS fails, made at start. Refuses to be used for anything real."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
# A handshake record with the fatal alert `handshake_failure` (RFC 8446 §6).
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
# ServerHello of TLS 1.0 (version 3,1) with cipher 0x002f: what a server answers that knows nothing newer.
OLD_HELLO = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01" + b"\x5a" * 32 + b"\x00\x00\x2f\x00"


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority that lives as long as the server."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: str, issuer: str, *, key: ec.EllipticCurvePrivateKey, age_days: int = 0
) -> x509.CertificateBuilder:
    end = datetime.datetime.now(datetime.UTC) + 365 * DAY - age_days * DAY
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - 730 * DAY)
        .not_valid_after(end)
    )


def authority(name: str) -> Authority:
    """A fresh authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = _builder(name, name, key=key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return Authority(key, builder.sign(key, hashes.SHA256()))


def context(folder: Path, host: str, *, signer: Authority | None, age_days: int = 0) -> ssl.SSLContext:
    """A server context with a fresh certificate for `host`; without a signer it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = signer.certificate.subject.rfc4514_string().removeprefix("CN=") if signer else host
    alternative = x509.SubjectAlternativeName([_alternative(host)])
    builder = _builder(host, issuer, key=key, age_days=age_days).add_extension(alternative, critical=False)
    signing = signer.key if signer else key
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
    )
    certificate = builder.sign(signing, hashes.SHA256())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / f"{key.private_numbers().private_value % 10**12}.pem"
    file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    ready = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ready.load_cert_chain(file)
    file.unlink()
    return ready


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
