"""What a Kafka broker is started from: the jars of deploy/kafka/pom.xml and a certificate for 127.0.0.1."""

from __future__ import annotations

from pathlib import Path

from deploy.services.tools import run

KEYSTORE_PASSWORD = "for-tests-only"  # noqa: S105  (the key vouches for 127.0.0.1 and for nothing else)

_POM = Path(__file__).parent.parent / "kafka" / "pom.xml"
_FETCH_TIMEOUT_S, _KEYTOOL_TIMEOUT_S = 600.0, 60.0


def build(target: Path) -> None:
    """Fill `target` with libs/ (46 jars, 43 MB) and tls/ (broker.p12, ca.pem)."""
    goal = ("dependency:copy-dependencies", f"-DoutputDirectory={target / 'libs'}", "-DincludeScope=runtime")
    run(("mvn", "-q", "-B", "-f", str(_POM), *goal), _FETCH_TIMEOUT_S)
    (target / "tls").mkdir()
    _certify(target / "tls")


def _certify(folder: Path) -> None:
    """One self-signed certificate that is its own authority. keytool comes with every JRE; openssl may be absent."""
    store = ("-keystore", str(folder / "broker.p12"), "-storepass", KEYSTORE_PASSWORD, "-alias", "broker")
    names = ("-dname", "CN=sizewise test broker", "-ext", "SAN=ip:127.0.0.1,dns:localhost")
    usage = ("-ext", "bc=ca:true", "-ext", "ku=digitalSignature,keyCertSign", "-validity", "3650")
    key = ("-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-storetype", "PKCS12")
    run(("keytool", *key, *store, *names, *usage), _KEYTOOL_TIMEOUT_S)
    run(("keytool", "-exportcert", "-rfc", "-file", str(folder / "ca.pem"), *store), _KEYTOOL_TIMEOUT_S)
