"""Provenance as a tree, for people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.tree import Tree

from modelfoundry.cli.rendering.quantities import moment
from modelfoundry.cli.rendering.tables import print_remark, stdout_console

if TYPE_CHECKING:
    from modelfoundry.client import Lineage, LineageNode

SHOWN_LABELS: Final = 5
Steps = Mapping[str, Sequence[tuple[str, str]]]
"""For every name: relation and name at the other end."""


def print_lineage(lineage: Lineage, parent: str) -> None:
    """Prints what a resource came from and what came from it. What is reached on several ways is spread out once."""
    nodes = {node.name: node for node in lineage.nodes}
    root = lineage.nodes[0]
    up: dict[str, list[tuple[str, str]]] = defaultdict(list)
    down: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for edge in lineage.edges:
        relation = edge.relation.value.replace("_", " ")
        up[edge.subject].append((relation, edge.object))
        down[edge.object].append((relation, edge.subject))
    tree = Tree(_line(root, parent))
    for title, steps in (("came from", up), ("led to", down)):
        if steps.get(root.name):
            _grow(tree.add(f"[bold]{title}[/bold]"), root.name, steps, nodes, {root.name}, parent)
    stdout_console().print(tree)
    if lineage.truncated:
        print_remark(f"These are the nearest {len(lineage.nodes)}: ask for less with --depth, --up or --down.")


def _grow(branch: Tree, name: str, steps: Steps, nodes: Mapping[str, LineageNode], seen: set[str], parent: str) -> None:
    for relation, end in steps.get(name, ()):
        if end in seen:
            branch.add(f"{relation} {escape(_short(end, parent))}" + (" (see above)" if steps.get(end) else ""))
            continue
        seen.add(end)
        _grow(branch.add(f"{relation} {_line(nodes[end], parent)}"), end, steps, nodes, seen, parent)


def _line(node: LineageNode, parent: str) -> str:
    if node.missing:
        return f"{escape(_short(node.name, parent))} (not there any more)"
    labels = ", ".join(node.labels[:SHOWN_LABELS]) + (", ..." if len(node.labels) > SHOWN_LABELS else "")
    facts = (node.display_name, labels, moment(node.create_time))
    return escape("  ".join([_short(node.name, parent), *filter(None, facts)]))


def _short(name: str, parent: str) -> str:
    return name.removeprefix(f"{parent}/")
