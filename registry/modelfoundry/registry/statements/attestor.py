"""Signs a statement about every module and composition, in the transaction that stores it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from securesystemslib.signer import CryptoSigner
from sqlalchemy import delete, event, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, UOWTransaction
from sqlmodel import col

from modelfoundry.attestation.envelope import sign
from modelfoundry.attestation.keys import load_signing_key, make_signing_key, public_pem
from modelfoundry.attestation.statements import composition_statement, module_statement, write_payload
from modelfoundry.errors import InvalidField
from modelfoundry.registry.database import Database
from modelfoundry.registry.records.finding import batches
from modelfoundry.registry.records.messages import composition_to_proto, module_to_proto
from modelfoundry.registry.records.tables import CompositionRow, ModuleRow
from modelfoundry.registry.statements.tables import StatementKeyRow, StatementRow

KEY_FILE: Final = "signing-key.pem"
_FIELD: Final = "signing_key"

_log = structlog.get_logger(__name__)


class Attestor:
    """Listens to all writing transactions of a database, so that nothing can be stored without a statement.

    Args:
        signer: The registry's key.
        now: The clock.
    """

    def __init__(self, signer: CryptoSigner, now: Callable[[], datetime]) -> None:
        self._signer = signer
        self._now = now

    @property
    def key_id(self) -> str:
        """Names the key that is signed with."""
        return self._signer.public_key.keyid

    def keep(self, database: Database) -> None:
        """Publishes the public key. From here on, modules and compositions are signed as they are stored, and their
        statements go with them.
        """
        row = StatementKeyRow(
            key_id=self.key_id, public_key=public_pem(self._signer.public_key), create_time=self._now()
        )
        with suppress(IntegrityError), database.session() as session:  # another replica may have been quicker
            if session.get(StatementKeyRow, row.key_id) is None:
                session.add(row)
        event.listen(database.writers, "after_flush", self._sign_flushed)
        _log.info("statements are signed", key_id=self.key_id)

    def _sign_flushed(self, session: Session, _flush: UOWTransaction) -> None:
        gone = [row.name for row in session.deleted if isinstance(row, (ModuleRow, CompositionRow))]
        for names in batches(gone):
            session.connection().execute(delete(StatementRow).where(col(StatementRow.resource).in_(names)))
        now = self._now()
        rows = [
            {"resource": row.name, "envelope": envelope, "sign_time": now}
            for row in session.new
            if (envelope := self._envelope(row)) is not None
        ]
        if rows:
            session.connection().execute(insert(StatementRow), rows)

    def _envelope(self, row: object) -> bytes | None:
        """The signed statement; None for what needs none."""
        match row:
            case ModuleRow():
                statement = module_statement(module_to_proto(row))
            case CompositionRow():
                statement = composition_statement(composition_to_proto(row))
            case _:
                return None
        return sign(write_payload(statement), self._signer).SerializeToString()


def open_signing_key(given: Path | None, folder: Path) -> CryptoSigner:
    """The registry's private key.

    Args:
        given: As the operator set it.
        folder: Where a key is made, where none was given and none is there.

    Raises:
        InvalidField: the key cannot be used; the message says why and nothing of the key.
    """
    path = given or folder / KEY_FILE
    if given is None and not path.exists():
        try:
            make_signing_key(path)
        except OSError as error:
            raise InvalidField(
                f"{_FIELD}: no key is set, and none can be made at {path}: {error.strerror}",
                field=_FIELD,
                hint="set MODELFOUNDRY_REGISTRY_SIGNING_KEY to a PEM file with an Ed25519 private key",
            ) from error
        _log.info("a key to sign statements with was made", path=str(path))
    return load_signing_key(path, field=_FIELD)
