"""All that a worker needs to carry out a job, as plain strings and bytes, so that it can travel to any process."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True)
class Ticket:
    """One start of one job."""

    name: str
    """`projects/{project}/operations/{operation}`."""
    handler: str
    """Import path of what carries it out: `package.module:function`."""
    request: bytes
    """A serialised `google.protobuf.Any` with the request."""
    attempt: int
    """Times that the job was started, this one included."""
    checkpoint: bytes
    """A serialised `BlobRef` of where to take it up again; empty when there is none."""
    lease_token: str
    registry: str
    """Address of the registry."""

    def to_json(self) -> bytes:
        """The ticket as one line of JSON, without a line feed."""
        plain = {key: _encoded(value) if isinstance(value, bytes) else value for key, value in asdict(self).items()}
        return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def from_json(cls, line: bytes) -> Ticket:
        """Reads what `to_json` wrote."""
        plain = json.loads(line)
        for field in fields(cls):
            if field.type == "bytes":
                plain[field.name] = base64.b64decode(plain[field.name])
        return cls(**plain)


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
