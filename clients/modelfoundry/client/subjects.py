"""Models, modules and compositions by what people call them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from modelfoundry.errors import InvalidField, NotFound
from modelfoundry.names import shortened
from modelfoundry.values.compositions import Composition
from modelfoundry.values.kinds import Kind
from modelfoundry.values.references import full_name
from modelfoundry.values.resources import Dataset, Model, Module

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient

SUBJECTS: Final = (Kind.MODULE, Kind.MODEL, Kind.COMPOSITION)
_KINDS: Final[dict[str, str]] = {
    Kind.MODULE: "module",
    Kind.MODEL: "model",
    Kind.COMPOSITION: "composition",
    Kind.DATASET: "data set",
}


async def find_subject(client: AsyncClient, reference: str, *, field: str = "subject") -> Model | Module | Composition:
    """Finds what can be measured and used: `find_resource` among modules, models and compositions."""
    return cast("Model | Module | Composition", await find_resource(client, reference, SUBJECTS, field=field))


async def find_resource(
    client: AsyncClient, reference: str, among: tuple[str, ...], *, field: str = "subject"
) -> Model | Module | Composition | Dataset:
    """Finds a resource of some collections.

    Args:
        client: Access to the registry.
        reference: A full name, or `modules/ID` and the like. A bare id is looked for in one collection after another.
        among: Collections that it may be of, in that order.
        field: What to blame when there is none.

    Raises:
        NotFound: there is none; the hint names near ones.
        InvalidField: it is the name of something else, or no name.
    """
    if not reference:
        raise InvalidField(f"{field}: it is empty", field=field, hint=f"name one of the {_listed(among, 'and')}")
    missing: list[NotFound] = []
    for collection in _meant(reference, field, among):
        try:
            return await _get(client, full_name(reference, collection, client.parent))
        except NotFound as error:
            missing.append(error)
    raise _none(reference, field, missing, among)


def _meant(reference: str, field: str, among: tuple[str, ...]) -> tuple[str, ...]:
    parts = reference.split("/")
    if len(parts) == 1:
        return among
    if len(parts) not in (2, 4) or parts[-2] not in among:
        raise InvalidField(
            f"{field}: {shortened(reference)!r} is not one of the {_listed(among, 'and')}",
            field=field,
            hint="pass for example modules/ID or projects/{project}/models/{model}",
        )
    return (parts[-2],)


async def _get(client: AsyncClient, name: str) -> Model | Module | Composition | Dataset:
    match name.split("/")[-2]:
        case Kind.MODULE:
            return await client.modules.get(name)
        case Kind.MODEL:
            return await client.models.get(name)
        case Kind.DATASET:
            return await client.datasets.get(name)
        case _:
            return await client.compositions.get(name)


def _listed(words: tuple[str, ...], conjunction: str) -> str:
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def _none(reference: str, field: str, missing: list[NotFound], among: tuple[str, ...]) -> NotFound:
    if len(missing) == 1:
        message = missing[0].message
    else:
        kinds = _listed(tuple(_KINDS[collection] for collection in among), "or")
        message = f"there is no {kinds} named {shortened(reference)!r}"
    near = [error for error in missing if error.metadata.get("near")] or missing[:1]
    return NotFound(
        message,
        field=field,
        hint="; ".join(error.hint for error in near),
        metadata=near[0].metadata,
    )
