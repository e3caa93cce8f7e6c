"""Signatures of deliveries, as Standard Webhooks has them (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final

from modelfoundry.errors import InvalidField

PREFIX: Final = "whsec_"
MADE_BYTES: Final = 32
FEWEST_BYTES: Final = 24
MOST_BYTES: Final = 64


def new_secret() -> str:
    """A secret that nobody has."""
    return PREFIX + base64.b64encode(secrets.token_bytes(MADE_BYTES)).decode()


def check_secret(secret: str, *, field: str) -> str:
    """Returns `secret` when something can be signed with it.

    Raises:
        InvalidField: it is not `whsec_` and the base64 of 24 to 64 bytes.
    """
    try:
        size = len(_key(secret)) if secret.startswith(PREFIX) else 0
    except (binascii.Error, ValueError):
        size = 0
    if not FEWEST_BYTES <= size <= MOST_BYTES:
        raise InvalidField(
            f"{field} is no secret of a webhook",
            field=field,
            hint=f"pass {PREFIX} and the base64 of {FEWEST_BYTES} to {MOST_BYTES} bytes, or nothing: one is made",
        )
    return secret


def signature(secret: str, delivery_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`."""
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
