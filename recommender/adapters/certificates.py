"""Certificates of sizewise's own making, through cryptography.

Each serving certificate has an authority of its own, whose private key is forgotten as soon as it has signed: nobody can
make a second one, whatever leaks. A new pair names the authority before it as trusted too, so that while replicas change
over, clients believe both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

RENEW_AT = 2 / 3
"""Share of its life after which a certificate is replaced: what fails then has a third of it to be mended."""
_CLOCK_SKEW = timedelta(hours=1)


class CertificateError(ValueError):
    """A PEM text that holds no certificate."""


@dataclass(frozen=True, slots=True)
class Made:
    """PEM texts. authorities: of this certificate, then of the one before."""

    certificate: bytes
    key: bytes
    authorities: bytes


def make(names: Sequence[str], days: int, now_s: float, before: Made | None = None) -> Made:
    """A certificate for these host names and addresses, that lives from now on for so many days."""
    now = datetime.fromtimestamp(now_s, UTC)
    life = (now - _CLOCK_SKEW, now + timedelta(days=days))
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, life)
    certificate = _serving(names, key, authority, authority_key, life)
    trusted = [authority, *(_first(before.authorities) if before else ())]
    return Made(_pem(certificate), _key_pem(key), b"".join(map(_pem, trusted)))


def is_due(certificate: bytes, names: Sequence[str], now_s: float) -> bool:
    """Whether a new one should take over: at two thirds of its life, or when it lacks a name."""
    found = _read(certificate)
    began, ends = (moment.timestamp() for moment in (found.not_valid_before_utc, found.not_valid_after_utc))
    if now_s >= began + RENEW_AT * (ends - began):
        return True
    alternative = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return not {_name(name) for name in names} <= set(alternative)


def expires_s(certificate: bytes) -> float:
    """When it ends, in seconds since 1970. Raises CertificateError."""
    return _read(certificate).not_valid_after_utc.timestamp()


def _authority(key: ec.EllipticCurvePrivateKey, life: tuple[datetime, datetime]) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"sizewise webhook {life[0]:%Y-%m-%d}")])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    return (
        _builder(name, name, key, life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def _serving(
    names: Sequence[str],
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    life: tuple[datetime, datetime],
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        _builder(subject, authority.subject, key, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(usage, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, life: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(life[0])
        .not_valid_after(life[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _first(authorities: bytes) -> Sequence[x509.Certificate]:
    """Of the pair before only its own authority: older ones have been replaced on every replica long since. What cannot be
    read vouches for nobody."""
    try:
        return x509.load_pem_x509_certificates(authorities)[:1]
    except ValueError:
        return ()


def _read(certificate: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(certificate)
    except ValueError as error:
        raise CertificateError(f"no certificate in PEM form: {error}") from error


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
