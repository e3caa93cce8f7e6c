"""Modules: what is stored of them, their file, and the network that they are."""

from modelfoundry.core.modules.artifact import ModuleArtifact
from modelfoundry.core.modules.format import FORMAT, FORMAT_VERSION, read_module, write_module
from modelfoundry.core.modules.materialise import MaterialisedModule, materialise, materialise_in_place

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "MaterialisedModule",
    "ModuleArtifact",
    "materialise",
    "materialise_in_place",
    "read_module",
    "write_module",
]
