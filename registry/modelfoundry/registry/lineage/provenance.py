"""Provenance: what came from what. Edges are written with the resource they belong to."""

from __future__ import annotations

from typing import Final

from sqlmodel import col

from modelfoundry.names import parse_parent
from modelfoundry.registry.listing.fields import ChoiceField, MomentField, TextField
from modelfoundry.registry.listing.pages import Listing, ListRequest, Page, fetch_page
from modelfoundry.registry.records.shelf import Shelf
from modelfoundry.registry.records.tables import (
    ProvenanceRow,
)
from modelfoundry.values.resources import Relation

EDGES: Final = Listing(
    row=ProvenanceRow,
    filterable={
        "subject": TextField(col(ProvenanceRow.subject)),
        "object": TextField(col(ProvenanceRow.object)),
        "relation": ChoiceField(col(ProvenanceRow.relation), {relation.name: relation.name for relation in Relation}),
        "object_digest": TextField(col(ProvenanceRow.object_digest)),
        "create_time": MomentField(col(ProvenanceRow.create_time)),
    },
    sortable={"id": col(ProvenanceRow.id)},
    default_order="id",
    last="id",
)


class Provenance:
    """All edges. Methods block: call them from a thread."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def list(self, request: ListRequest) -> Page[ProvenanceRow]:
        """Returns a page of a project's edges, oldest first.

        Raises:
            InvalidField: an argument is not as the contract says.
        """
        project = parse_parent(request.parent)
        signer = self._shelf.signer
        with self._shelf.database.read_session() as session:
            return fetch_page(session, EDGES, col(ProvenanceRow.project) == project, request, signer)
