"""`modelfoundry card` and `modelfoundry describe`: what a person reads before reuse, and what its owner adds."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from modelfoundry.cli.arguments import tag_map
from modelfoundry.cli.command import command
from modelfoundry.cli.completion import complete_subjects
from modelfoundry.cli.options import TagOption
from modelfoundry.cli.session import Session
from modelfoundry.cli.subjects import described_name
from modelfoundry.values.kinds import Kind

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient, AsyncCompositions, AsyncDatasets, AsyncModels, AsyncModules, Card

NameArgument = Annotated[
    str,
    typer.Argument(
        help="A module, model, composition or data set: id, or as in models/ID, datasets/ID.",
        autocompletion=complete_subjects,
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    command(app, "card")(card)
    command(app, "describe")(describe)


def card(session: Session, name: NameArgument) -> None:
    """Print the card of a module, model, composition or data set: Markdown as the Hugging Face Hub reads it."""

    async def run() -> Card:
        async with session.async_client() as client:
            return await client.cards.get(await described_name(client, name))

    found = asyncio.run(run())
    session.answer(found, lambda: _print_markdown(found))


def describe(
    session: Session,
    name: NameArgument,
    *,
    display_name: Annotated[str | None, typer.Option("--display-name", help="What people see.")] = None,
    description: Annotated[str | None, typer.Option("--description", help="Markdown.")] = None,
    intended_use: Annotated[
        str | None, typer.Option("--intended-use", help="What it is meant for, and what not. Markdown.")
    ] = None,
    license: Annotated[str | None, typer.Option("--license", help="SPDX licence expression.")] = None,  # noqa: A002
    tag: TagOption = None,
) -> None:
    """Extend a card: what is given replaces what was there, tags all together; an empty text removes."""

    async def run() -> Card:
        async with session.async_client() as client:
            whole = await described_name(client, name)
            await _collection(client, whole).update(
                whole,
                display_name=display_name,
                description=description,
                intended_use=intended_use,
                license=license,
                tags=None if tag is None else tag_map(tag),
            )
            return await client.cards.get(whole)

    found = asyncio.run(run())
    session.answer(found, lambda: _print_markdown(found))


def _collection(client: AsyncClient, name: str) -> AsyncModules | AsyncModels | AsyncCompositions | AsyncDatasets:
    match name.split("/"):
        case [*_, Kind.MODEL, _]:
            return client.models
        case [*_, Kind.COMPOSITION, _]:
            return client.compositions
        case [*_, Kind.DATASET, _]:
            return client.datasets
        case _:
            return client.modules


def _print_markdown(found: Card) -> None:
    sys.stdout.write(found.markdown)
