"""The rows of uploads: what was announced, and by which call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import col, select

from modelfoundry.names import parse_name
from modelfoundry.registry.blobs.tables import UploadRow
from modelfoundry.registry.blobs.upload import unknown_upload
from modelfoundry.registry.database import Database
from modelfoundry.values.kinds import Kind


class UploadRows:
    """Announcements of uploads in the database. Blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> UploadRow:
        """The row of an upload.

        Raises:
            InvalidField: `name` is malformed.
            NotFound: there is no such upload, or it was discarded.
        """
        parsed = parse_name(name, Kind.UPLOAD, field="name")
        with self._database.read_session() as session:
            row = session.get(UploadRow, parsed.id)
        if row is None or row.project != parsed.project:
            raise unknown_upload(name)
        return row

    def of_request(self, project: str, request_id: str) -> UploadRow | None:
        """What an earlier call with the same request id announced."""
        with self._database.read_session() as session:
            by_request = select(UploadRow).where(UploadRow.project == project, UploadRow.request_id == request_id)
            return session.exec(by_request).first()

    def announced_since(self, moment: datetime) -> Sequence[UploadRow]:
        """Uploads that are at most so old."""
        with self._database.read_session() as session:
            return session.exec(select(UploadRow).where(col(UploadRow.create_time) >= moment)).all()

    def announced_before(self, moment: datetime) -> Sequence[UploadRow]:
        """Uploads that are older."""
        with self._database.read_session() as session:
            return session.exec(select(UploadRow).where(col(UploadRow.create_time) < moment)).all()

    def add(self, row: UploadRow) -> None:
        """Announces an upload.

        Raises:
            IntegrityError: another call with the same request id was quicker.
        """
        with self._database.session() as session:
            session.add(row)

    def remove(self, upload_id: str) -> None:
        """Forgets an upload; one that is not there is forgotten already."""
        with self._database.session() as session:
            if row := session.get(UploadRow, upload_id):
                session.delete(row)
