"""What modules cost: bytes in the blob store, and memory while one is made ready."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from blob_backends import LocalBackend

from modelfoundry.client import Architecture, BinaryProblem, DecompositionRecord, InputSpec, Model, Module
from modelfoundry.core import networks
from modelfoundry.core.heads import HeadLayer, LinearHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, write_module
from modelfoundry.core.tensorfile import write_tensors
from modelfoundry.registry.blobs.local_store import LocalBlobStore

from .conftest import running_registry

LABELS = tuple("0123456789")
RETENTION = 0.1

pytestmark = pytest.mark.slow


def stored_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_ten_modules_of_vgg16_bn_cost_less_than_a_sixth_of_it(tmp_path: Path) -> None:
    blobs = tmp_path / "blobs"
    spec = InputSpec(3, 32, 32)
    network = networks.build_network(Architecture("zoo:vgg16_bn"), len(LABELS), spec)
    write_tensors(tmp_path / "base", network.state_dict())
    with running_registry(tmp_path / "home", LocalBackend(blobs, LocalBlobStore(blobs))) as registry:
        client = registry.client
        dataset = registry.add_dataset("images")
        model = Model(
            architecture=Architecture("zoo:vgg16_bn"),
            input=InputSpec(3, 32, 32),
            labels=LABELS,
            weights=client.blobs.upload(tmp_path / "base"),
        )
        base = client.models.create(model, model_id="vgg16")
        before = stored_bytes(blobs)

        for seed, label in enumerate(LABELS):
            chance = torch.Generator().manual_seed(seed)
            masks = WeightMasks(
                {
                    name: torch.rand(weight.shape, generator=chance) < RETENTION
                    for name, weight in network.named_parameters()
                    if weight.dim() > 1
                }
            )
            layer = HeadLayer(torch.randn(2, 10, generator=chance), torch.randn(2, generator=chance))
            artifact = ModuleArtifact(base.weights.digest, BinaryProblem(label), masks, LinearHead((layer,)), "seam")
            write_module(tmp_path / "module", artifact)
            module = Module(
                base_model=base.name,
                problem=BinaryProblem(label),
                artifact=client.blobs.upload(tmp_path / "module"),
                dataset=dataset.name,
                record=DecompositionRecord(algorithm="seam"),
            )
            client.modules.create(module, module_id=f"label-{label}")

        of_modules = stored_bytes(blobs) - before
        assert of_modules == sum(module.artifact.size_bytes for module in client.modules.list())
        assert 0.14 * base.weights.size_bytes < of_modules <= 0.16 * base.weights.size_bytes


PROGRAM = """
import sys
from pathlib import Path
import torch
from modelfoundry.core.networks import build_network
from modelfoundry.core.heads import HeadLayer, LinearHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, materialise, materialise_in_place
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem

def memory(field):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(field))

network = build_network(Architecture("zoo:vgg16_bn"), 10, InputSpec(3, 32, 32))
weights = [(name, weight) for name, weight in network.named_parameters() if weight.dim() > 1]
masks = WeightMasks({name: torch.ones(weight.shape, dtype=torch.bool) for name, weight in weights})
head = LinearHead((HeadLayer(torch.zeros(2, 10), torch.zeros(2)),))
artifact = ModuleArtifact("sha256:" + "0" * 64, BinaryProblem("1"), masks, head, "seam")
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before = memory("VmRSS")
module = {"copy": materialise, "in place": materialise_in_place}[sys.argv[1]](network, artifact)
print((memory("VmHWM") - before) / sum(4 * weight.numel() for _, weight in weights))
"""


def test_a_module_is_made_without_a_second_copy_of_its_base() -> None:
    peaks = {
        how: float(subprocess.run([sys.executable, "-c", PROGRAM, how], check=True, capture_output=True).stdout)
        for how in ("in place", "copy")
    }
    assert peaks["in place"] < 0.3, "a mask of the largest layer"
    assert peaks["copy"] > 0.9, "what the measurement would show of a copy"
