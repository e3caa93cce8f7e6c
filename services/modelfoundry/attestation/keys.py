"""Ed25519 keys as PEM files: the private one of a registry, and public ones that a user trusts."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from modelfoundry.errors import InvalidField, MalformedFile

PUBLIC_SUFFIX: Final = ".pub.pem"
LARGEST_FILE: Final = 64 * 1024
_NEW_KEY: Final = "make one with: (umask 077; openssl genpkey -algorithm ed25519 -out FILE)"


def load_signing_key(path: Path, *, field: str) -> CryptoSigner:
    """Reads a private key that nobody else can read.

    Args:
        path: PEM file (PKCS #8), not encrypted.
        field: Name of the setting that names it.

    Raises:
        InvalidField: there is no such file, others can read it, or it holds no Ed25519 private key. Nothing of its
            content is in the message.
    """
    try:
        with path.open("rb") as file:
            _check_private(path, os.fstat(file.fileno()), field=field)
            data = file.read(LARGEST_FILE)
    except OSError as error:
        raise InvalidField(f"{field}: {path} cannot be read: {error.strerror}", field=field, hint=_NEW_KEY) from error
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError:
        raise InvalidField(
            f"{field}: the key in {path} is encrypted",
            field=field,
            hint="store it without a passphrase, readable by the registry alone: openssl pkey -in FILE -out NEW",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidField(f"{field}: {path} holds no private key in PEM", field=field, hint=_NEW_KEY) from None
    if not isinstance(key, Ed25519PrivateKey):
        kind = type(key).__name__.removesuffix("PrivateKey").lstrip("_")
        raise InvalidField(f"{field}: the key in {path} is {kind}, not Ed25519", field=field, hint=_NEW_KEY)
    return CryptoSigner(key)


def make_signing_key(path: Path) -> None:
    """Makes a private key where none is, readable by its owner alone, and its public key beside it (`.pub.pem`).

    Whoever comes first makes it, also among processes.

    Raises:
        OSError: the folder cannot be written to.
    """
    signer = CryptoSigner.generate_ed25519()
    path.parent.mkdir(parents=True, exist_ok=True)
    if _create(path, signer.private_bytes):
        _create(path.with_name(path.stem + PUBLIC_SUFFIX), public_pem(signer.public_key).encode(), mode=0o644)


def public_pem(key: SSlibKey) -> str:
    """A public key as PEM (SubjectPublicKeyInfo)."""
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.keyval["public"]))
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def public_key(pem: bytes, *, source: str) -> SSlibKey:
    """Reads a public key.

    Args:
        pem: SubjectPublicKeyInfo in PEM.
        source: What is read, for messages.

    Raises:
        MalformedFile: it is no Ed25519 public key.
    """
    if b"PRIVATE KEY" in pem:
        raise MalformedFile(
            f"{source} holds a private key",
            hint="pass the public one: openssl pkey -in FILE -pubout; a private key stays where the registry is",
        )
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise MalformedFile(f"{source} holds no public key in PEM", hint="pass an Ed25519 public key") from None
    if not isinstance(key, Ed25519PublicKey):
        kind = type(key).__name__.removesuffix("PublicKey").lstrip("_")
        raise MalformedFile(f"{source} holds a key of kind {kind}, not Ed25519", hint="pass an Ed25519 public key")
    return SSlibKey.from_crypto(key)


def _check_private(path: Path, status: os.stat_result, *, field: str) -> None:
    """As PostgreSQL does: for its owner alone; where that is root, also for the group, as mounted secrets are."""
    if not stat.S_ISREG(status.st_mode):
        raise InvalidField(f"{field}: {path} is no file", field=field, hint=_NEW_KEY)
    mounted = status.st_uid == 0 and os.geteuid() != 0
    if status.st_mode & (0o037 if mounted else 0o077):
        raise InvalidField(
            f"{field}: others can read {path} (mode {stat.S_IMODE(status.st_mode):04o})",
            field=field,
            hint=f"chmod 600 {path}; if others may have read it, make a new key",
        )


def _create(path: Path, data: bytes, mode: int = 0o600) -> bool:
    """Writes a whole file; returns False where one is already."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(name, path)
            return True
        return False
    finally:
        Path(name).unlink()
