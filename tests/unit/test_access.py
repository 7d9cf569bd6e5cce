"""How Kafka's clients come to the brokers: settings that do not go together are refused by name, and every client uses them."""

import ast
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from warnhub.bus.access import kafka_options
from warnhub.config import ConfigError, Settings, load_settings
from warnhub.crypto import make_key

SOURCE = Path(__file__).resolve().parents[2] / "src"
WHO = {"kafka_sasl_mechanism": "SCRAM-SHA-512", "kafka_username": "desk", "kafka_password": "river-9"}


def settings(**given: Any) -> Settings:
    """Settings of an installation with Kafka."""
    return load_settings(**{"secret_key": make_key(), "kafka": "a.example:9092"} | given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kafka": None, "kafka_security_protocol": "SSL"}, "kafka: is needed with SSL"),
        ({"kafka_security_protocol": "TLS"}, "kafka_security_protocol: "),
        ({"kafka_security_protocol": "SASL_SSL"}, "kafka_sasl_mechanism: is needed with SASL_SSL"),
        (WHO | {"kafka_security_protocol": "SASL_SSL", "kafka_password": ""}, "kafka_password: is needed with SASL_SSL"),
        (WHO, "kafka_username: is not used with kafka_security_protocol PLAINTEXT"),
        (WHO | {"kafka_security_protocol": "SSL"}, "kafka_password: is not used with kafka_security_protocol SSL"),
        (WHO | {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_cafile": "ca.pem"}, "kafka_cafile: is not used"),
        ({"kafka_security_protocol": "SSL", "kafka_certfile": "c.pem"}, "kafka_keyfile: is needed"),
        ({"kafka_security_protocol": "SSL", "kafka_keyfile": "c.pem"}, "kafka_certfile: is needed"),
        (
            {"kafka_security_protocol": "SSL", "kafka_key_password": "x"},
            "kafka_key_password: is not used without kafka_keyfile",
        ),
        (WHO | {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "GSSAPI"}, "kafka_sasl_mechanism: "),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings(**given)
    assert said in str(refused.value)
    assert "river-9" not in str(refused.value)


def test_a_password_may_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text("from-a-file\n")
    monkeypatch.setenv("WARNHUB_KAFKA_PASSWORD_FILE", str(tmp_path / "password"))
    for name, value in (("SECURITY_PROTOCOL", "SASL_SSL"), ("SASL_MECHANISM", "PLAIN"), ("USERNAME", "desk")):
        monkeypatch.setenv(f"WARNHUB_KAFKA_{name}", value)
    options = kafka_options(settings())
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("desk", "from-a-file")
    assert (options["security_protocol"], options["sasl_mechanism"]) == ("SASL_SSL", "PLAIN")
    assert options["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert options["ssl_context"].check_hostname


def test_without_any_it_is_as_before() -> None:
    assert kafka_options(settings()) == {"bootstrap_servers": "a.example:9092", "security_protocol": "PLAINTEXT"}


def test_a_file_that_cannot_be_used_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    locked = serialization.BestAvailableEncryption(b"pass")
    form = serialization.PrivateFormat.TraditionalOpenSSL
    (tmp_path / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))
    bad, away, key_file = tmp_path / "bad.pem", tmp_path / "away.pem", tmp_path / "key.pem"
    for given, said in (
        ({"kafka_cafile": bad}, "kafka_cafile: cannot use"),
        ({"kafka_cafile": away}, "No such file"),
        ({"kafka_certfile": bad, "kafka_keyfile": bad}, "kafka_certfile and kafka_keyfile: cannot use"),
        ({"kafka_certfile": key_file, "kafka_keyfile": key_file}, "kafka_certfile and kafka_keyfile: cannot use"),
    ):
        with pytest.raises(ConfigError, match=said):
            kafka_options(settings(kafka_security_protocol="SSL", **given))


def test_every_client_is_made_with_them() -> None:
    made = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name.startswith("AIOKafka"):
                spread = [ast.unparse(one.value) for one in node.keywords if one.arg is None]
                assert any(one.startswith("kafka_options(") for one in spread), f"{path}:{node.lineno}"
                made.append(path.name)
    assert sorted(set(made)) == ["calls.py", "kafka.py", "relay.py", "topics.py"]
    assert len(made) >= 6
