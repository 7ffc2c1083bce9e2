import hashlib
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wxserve.app.keys import RefusedError, create_keys, load_keys
from wxserve.transport.tls import load_identity

FILES = ["backup.key.pem", "invite.key", "tls.cert.pem", "tls.key.pem"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "data"
    create_keys(path)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_first_start_makes_private_secrets_and_nothing_else(data: Path) -> None:
    assert mode(data) == mode(data / "secrets") == 0o700
    assert sorted(path.name for path in (data / "secrets").iterdir()) == FILES
    assert {mode(path) for path in (data / "secrets").iterdir()} == {0o600}
    assert [path.name for path in data.iterdir()] == ["secrets"]


def test_second_start_finds_the_same_secrets(data: Path) -> None:
    before = {path.name: path.read_bytes() for path in (data / "secrets").iterdir()}
    create_keys(data)
    assert {path.name: path.read_bytes() for path in (data / "secrets").iterdir()} == before


def test_pins_are_the_hashes_of_the_public_keys(data: Path) -> None:
    keys = load_keys(data)
    certificate = x509.load_pem_x509_certificate(keys.certificate.read_bytes())
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert keys.pins[0] == hashlib.sha256(spki).digest()
    assert keys.pins[0] == load_identity(keys.certificate, keys.tls_key).binding.value
    assert keys.pins[1] != keys.pins[0]
    assert certificate.not_valid_after_utc.year > 2100


def test_backup_key_that_takes_over_keeps_its_pin(data: Path) -> None:
    backup_pin = load_keys(data).pins[1]
    secrets = data / "secrets"
    (secrets / "backup.key.pem").rename(secrets / "tls.key.pem")
    (secrets / "tls.cert.pem").unlink()
    create_keys(data)
    keys = load_keys(data)
    assert keys.pins[0] == backup_pin != keys.pins[1]
    assert load_identity(keys.certificate, keys.tls_key).binding.value == backup_pin


@pytest.mark.parametrize("name", ["", "secrets", *(f"secrets/{name}" for name in FILES)])
@pytest.mark.parametrize("bit", [0o040, 0o004, 0o020])
def test_secrets_open_to_others_are_refused_with_the_cure(data: Path, name: str, bit: int) -> None:
    path = data / name
    path.chmod(mode(path) | bit)
    with pytest.raises(RefusedError, match="chmod -R go-rwx"):
        load_keys(data)
    path.chmod(mode(path) & 0o700)
    load_keys(data)


def test_data_directory_open_to_others_gets_no_secrets(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(RefusedError, match="can be read by others"):
        create_keys(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["invite.key", "tls.key.pem"])
def test_lost_secret_is_not_made_anew(data: Path, name: str) -> None:
    """A new key would lock out everybody who trusts the old one, without a word."""
    (data / "secrets" / name).unlink()
    create_keys(data)
    with pytest.raises(RefusedError, match="restore it from your backup"):
        load_keys(data)


@pytest.mark.parametrize("name", ["invite.key", "tls.key.pem", "backup.key.pem"])
def test_damaged_secret_is_refused(data: Path, name: str) -> None:
    (data / "secrets" / name).write_bytes(b"damaged")
    with pytest.raises(RefusedError, match=f"{name} is damaged"):
        load_keys(data)


def test_directory_without_secrets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="wxserve serve --data"):
        load_keys(tmp_path)


def test_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError, match="file"):
        create_keys(tmp_path / "file" / "data")
