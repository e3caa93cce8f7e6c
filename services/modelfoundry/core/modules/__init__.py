"""Modules: what is stored of them, their file, and the network that they are."""

from modelfoundry.core.modules.artifact import ModuleArtifact
from modelfoundry.core.modules.compaction import CompactedModule, compact_module
from modelfoundry.core.modules.fitting import check_runs
from modelfoundry.core.modules.format import read_module, write_module
from modelfoundry.core.modules.head_networks import HeadNetwork, LogOdds, head_network
from modelfoundry.core.modules.keeping import KeptOfBase, kept_of_base
from modelfoundry.core.modules.materialise import MaterialisedModule, materialise, materialise_in_place
from modelfoundry.core.modules.rewriting import RewrittenTensors

__all__ = [
    "CompactedModule",
    "HeadNetwork",
    "KeptOfBase",
    "LogOdds",
    "MaterialisedModule",
    "ModuleArtifact",
    "RewrittenTensors",
    "check_runs",
    "compact_module",
    "head_network",
    "kept_of_base",
    "materialise",
    "materialise_in_place",
    "read_module",
    "write_module",
]
