"""`modelfoundry decompose --algorithm gradsplitter`: one search for the modules of all labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelfoundry.cli.following import follow_one
from modelfoundry.cli.rendering.job_table import print_started
from modelfoundry.cli.rendering.module_table import print_modules
from modelfoundry.cli.session import Session

if TYPE_CHECKING:
    from modelfoundry.client import GradSplitterRecipe, ValidationSplit


@dataclass(frozen=True, slots=True)
class JointSearch:
    """What is asked for."""

    model: str
    dataset: str
    label_groups: tuple[tuple[str, ...], ...]
    recipe: GradSplitterRecipe
    validation: ValidationSplit
    seed: int
    device: str
    name: str
    force: bool


async def decompose_jointly(session: Session, search: JointSearch, *, detach: bool) -> None:
    """Starts the search, follows it unless it is detached, and prints the modules."""
    async with session.async_client() as client:
        job = await client.decompose_all(
            search.model,
            search.dataset,
            label_groups=search.label_groups,
            recipe=search.recipe,
            validation=search.validation,
            seed=search.seed,
            device=search.device,
            module_id=search.name,
            force=search.force,
        )
        if detach:
            session.answer([job.status], lambda: print_started([job.status], session.parent))
            return
        modules = await follow_one(search.model, job)
    session.answer(list(modules), lambda: print_modules(modules, session.parent))
