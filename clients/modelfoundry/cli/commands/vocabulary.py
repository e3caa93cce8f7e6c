"""`modelfoundry vocabulary ...`: words for labels that searches understand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.options import DescriptionOption, DisplayNameOption, NameOption
from modelfoundry.cli.removing import remove_all
from modelfoundry.cli.rendering.search_table import print_vocabularies
from modelfoundry.cli.rendering.tables import print_line
from modelfoundry.cli.session import Session
from modelfoundry.errors import InvalidField

if TYPE_CHECKING:
    from modelfoundry.client import VocabularyTerm

app = typer.Typer(help="Vocabularies: words for labels that searches understand.")
FORM = 'a JSON list of objects like {"term": "cat", "synonyms": ["kitty"], "broader": ["animal"]}'


@command(app, "add")
def add(
    session: Session,
    file: Annotated[Path, typer.Argument(help=f"{FORM[0].upper()}{FORM[1:]}.", exists=True, dir_okay=False)],
    name: NameOption = "",
    display_name: DisplayNameOption = "",
    description: DescriptionOption = "",
) -> None:
    """Register a vocabulary: terms with synonyms and super-classes."""
    terms = _terms(file)
    with session.client() as client:
        made = client.vocabularies.create(terms, vocabulary_id=name, display_name=display_name, description=description)
    session.answer(made, lambda: print_line(f"added {session.short(made.name)} with {made.term_count} terms"))


@command(app, "list")
def list_vocabularies(session: Session) -> None:
    """List vocabularies, those that are built in first."""
    with session.client() as client:
        vocabularies = client.vocabularies.list()
    session.answer(vocabularies, lambda: print_vocabularies(vocabularies, session.parent))


@command(app, "rm")
def remove(
    session: Session, vocabularies: Annotated[list[str], typer.Argument(help="Vocabularies: ids or names.")]
) -> None:
    """Remove vocabularies; modules stay as they are."""
    with session.client() as client:
        remove_all(session, vocabularies, client.vocabularies.delete)


def _terms(file: Path) -> list[VocabularyTerm]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:  # no JSON, or no UTF-8
        content = None
    entries = content.get("terms") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise InvalidField(f"{file} is no vocabulary", field="file", hint=f"write {FORM}")
    return [_term(file, index, entry) for index, entry in enumerate(entries)]


def _term(file: Path, index: int, entry: Any) -> VocabularyTerm:
    from modelfoundry.client import VocabularyTerm

    is_term = isinstance(entry, dict) and isinstance(entry.get("term"), str)
    others = {key: words for key, words in entry.items() if key != "term"} if is_term else {}
    if not is_term or not set(others) <= {"synonyms", "broader"} or not all(map(_is_words, others.values())):
        raise InvalidField(f"{file}: entry {index} is no term", field=f"terms[{index}]", hint=f"write {FORM}")
    return VocabularyTerm(
        term=entry["term"], synonyms=tuple(others.get("synonyms", ())), broader=tuple(others.get("broader", ()))
    )


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)
