"""DSSE envelopes: signing statements, and checking who signed them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, Signature, SSlibKey

from modelfoundry.api.registry.v1 import statement_service_pb2 as pb
from modelfoundry.attestation.statements import PAYLOAD_TYPE

MOST_SIGNATURES: Final = 16
"""Envelopes with more are not looked at."""


def sign(payload: bytes, signer: CryptoSigner) -> pb.DsseEnvelope:
    """Puts a statement into a signed envelope."""
    signature = Envelope(payload, PAYLOAD_TYPE, {}).sign(signer)
    return pb.DsseEnvelope(
        payload=payload,
        payload_type=PAYLOAD_TYPE,
        signatures=[pb.DsseSignature(sig=bytes.fromhex(signature.signature), keyid=signature.keyid)],
    )


def signing_key_ids(envelope: pb.DsseEnvelope) -> list[str]:
    """Ids of the keys that are said to have signed it."""
    return [signature.keyid for signature in envelope.signatures]


def signed_by(envelope: pb.DsseEnvelope, keys: Sequence[SSlibKey]) -> str:
    """Id of one of the keys that did sign the envelope; empty when none of them did."""
    if not keys or len(envelope.signatures) > MOST_SIGNATURES:
        return ""
    signatures = {one.keyid: Signature(one.keyid, one.sig.hex()) for one in envelope.signatures}
    try:
        accepted = Envelope(envelope.payload, envelope.payload_type, signatures).verify(list(keys), 1)
    except VerificationError:
        return ""
    return next(iter(accepted))
