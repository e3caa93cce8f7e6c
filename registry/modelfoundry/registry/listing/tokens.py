"""Page tokens: opaque to callers, signed so that none can be made up."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from modelfoundry.errors import InvalidField

SortValue = str | int | float | datetime
_SIGNATURE_BYTES: Final = 16
_LONGEST: Final = 8192


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """Writes and reads page tokens with one key."""

    key: bytes

    def write(self, values: Sequence[SortValue], arguments: str) -> str:
        """A token for the page behind a row.

        Args:
            values: What the row is ordered by.
            arguments: Everything that has to be the same in the next call.
        """
        body = json.dumps(
            [_fingerprint(arguments), [_to_json(value) for value in values]], separators=(",", ":"), allow_nan=False
        ).encode()
        return base64.urlsafe_b64encode(self._signature(body) + body).decode().rstrip("=")

    def read(self, token: str, arguments: str) -> tuple[SortValue, ...]:
        """The values of the row that the page before ended with.

        Raises:
            InvalidField: the token is not ours, or comes from a call with other arguments.
        """
        body = self._verified(token)
        fingerprint, values = json.loads(body)
        if fingerprint != _fingerprint(arguments):
            raise InvalidField(
                "page_token belongs to a call with other arguments",
                field="page_token",
                hint="keep parent, filter and order_by as they were, or begin again without a page_token",
            )
        return tuple(_from_json(value) for value in values)

    def _verified(self, token: str) -> bytes:
        try:
            if len(token) > _LONGEST:
                raise ValueError("too long")  # noqa: TRY301 - one answer for every token that is not ours
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raw = b""
        signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(body)):
            raise InvalidField(
                "page_token was not made by this server",
                field="page_token",
                hint="pass next_page_token of the call before as it is, or begin again without one",
            )
        return body

    def _signature(self, body: bytes) -> bytes:
        return hmac.digest(self.key, body, "sha256")[:_SIGNATURE_BYTES]


def _fingerprint(arguments: str) -> str:
    return hashlib.sha256(arguments.encode()).hexdigest()[:16]


def _to_json(value: SortValue) -> object:
    return {"t": value.astimezone(UTC).isoformat()} if isinstance(value, datetime) else value


def _from_json(value: object) -> SortValue:
    if isinstance(value, dict):
        return datetime.fromisoformat(value["t"])
    if isinstance(value, (str, int, float)):
        return value
    raise TypeError(f"a signed page token with {type(value).__name__}")
