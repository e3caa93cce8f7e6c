"""Private keys at start-up: made once, for their owner alone, and refused when they are not fit to sign with."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from modelfoundry.attestation.envelope import sign, signed_by
from modelfoundry.attestation.keys import load_signing_key, make_signing_key, public_key, public_pem
from modelfoundry.errors import InvalidField, MalformedFile
from modelfoundry.registry.statements.attestor import open_signing_key


def ed25519() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def encrypted() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))


def rsa() -> bytes:
    return generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public() -> bytes:
    return Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def written(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "key.pem"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_key_that_only_its_owner_can_read_signs(tmp_path: Path) -> None:
    signer = load_signing_key(written(tmp_path, ed25519()), field="signing_key")
    envelope = sign(b"{}", signer)
    assert signed_by(envelope, [signer.public_key]) == signer.public_key.keyid


def test_a_public_key_survives_its_file(tmp_path: Path) -> None:
    signer = load_signing_key(written(tmp_path, ed25519()), field="signing_key")
    assert public_key(public_pem(signer.public_key).encode(), source="file") == signer.public_key


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        pytest.param(ed25519, 0o640, "others can read", id="the group can read it"),
        pytest.param(ed25519, 0o604, "others can read", id="everybody can read it"),
        pytest.param(rsa, 0o600, "RSA, not Ed25519", id="RSA"),
        pytest.param(encrypted, 0o600, "is encrypted", id="encrypted"),
        pytest.param(public, 0o600, "holds no private key", id="a public key"),
        pytest.param(lambda: b"no key", 0o600, "holds no private key", id="no key at all"),
    ],
)
def test_a_key_that_is_not_fit_to_sign_with_is_refused_without_telling_it(
    tmp_path: Path, content: Callable[[], bytes], mode: int, said: str
) -> None:
    data = content()
    path = written(tmp_path, data, mode)
    with pytest.raises(InvalidField, match=said) as caught:
        open_signing_key(path, tmp_path)
    assert caught.value.field == "signing_key"
    assert caught.value.hint
    text = f"{caught.value} {caught.value.hint} {caught.value.metadata}"
    assert not any(line and line in text for line in data.decode().splitlines()[1:2])


def test_a_key_that_is_set_and_not_there_is_refused_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(InvalidField, match="cannot be read"):
        open_signing_key(tmp_path / "absent.pem", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_key_one_is_made_once_with_its_public_key_beside_it(tmp_path: Path) -> None:
    first = open_signing_key(None, tmp_path / "registry")
    again = open_signing_key(None, tmp_path / "registry")
    assert again.public_key == first.public_key
    made = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "registry").iterdir()}
    assert made == {"signing-key.pem": 0o600, "signing-key.pub.pem": 0o644}
    pem = (tmp_path / "registry" / "signing-key.pub.pem").read_bytes()
    assert public_key(pem, source="file") == first.public_key


def test_a_key_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    path = written(tmp_path, ed25519())
    before = path.read_bytes()
    make_signing_key(path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["key.pem"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(ed25519, "holds a private key", id="a private key"),
        pytest.param(lambda: b"no key", "holds no public key", id="no key at all"),
    ],
)
def test_a_file_that_is_no_public_key_is_refused(content: Callable[[], bytes], said: str) -> None:
    with pytest.raises(MalformedFile, match=said):
        public_key(content(), source="mine.pem")
