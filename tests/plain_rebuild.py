"""Computes what an export describes, in plain PyTorch: nothing of ModelFoundry is imported, and nothing is known of it.

    python plain_rebuild.py FOLDER IMAGES.safetensors ANSWER.safetensors

`IMAGES` has float32 images in [0, 1] under the name `images`; `logits` and `probabilities` are written. docs/exports.md
shows `run`.
"""

import json
import operator
import sys
from pathlib import Path

import safetensors.torch
import torch


def run(folder, images):
    computation = json.loads((folder / "module.json").read_text(encoding="utf-8"))["computation"]
    program, stored = computation["program"], safetensors.torch.load_file(folder / "model.safetensors")
    known = dict.fromkeys(program["input"], images)
    for name, stored_name in program["tensors"].items():
        tensor = stored[stored_name]
        known[name] = tensor.float() if tensor.is_floating_point() else tensor
    for name, constant in program["constants"].items():
        values = torch.tensor(value(constant["values"], known), dtype=getattr(torch, constant["dtype"]))
        known[name] = values.reshape(constant["shape"])
    for line in program["lines"]:
        function = operator if line["operator"].startswith("operator.") else torch.ops
        for part in line["operator"].removeprefix("operator.").split("."):
            function = getattr(function, part)
        options = {name: value(option, known) for name, option in line.get("options", {}).items()}
        known[line["node"]] = function(*value(line["arguments"], known), **options)
    logits = value(program["output"], known)
    softmax = computation["steps"][-1]
    return logits, torch.softmax(logits / softmax["temperature"], dim=softmax["axis"])


def value(written, known):
    match written:
        case {"node": name}:
            return known[name]
        case {"float": text}:
            return float(text)
        case {"dtype": name} | {"memory_format": name} | {"layout": name}:
            return getattr(torch, name)
        case {"device": name}:
            return torch.device(name)
        case [*items]:
            return [value(item, known) for item in items]
    return written


def head(operations, stored, z):
    """Operations of a head on the base's logits."""
    for each in operations:
        match each:
            case {"operation": "relu"}:
                z = torch.relu(z)
            case {"operation": "linear", "weight": weight, "bias": bias}:
                z = z @ stored[weight].float().T + stored[bias].float()
            case {"operation": "log_odds", "columns": columns, "scale": scale, "bias": bias}:
                others = [column for column in range(z.shape[1]) if column not in columns]
                against = torch.logsumexp(z[:, others], dim=1, keepdim=True)
                z = stored[scale] * (z[:, columns] - against) + stored[bias]
            case {"operation": "append", "value": number}:
                z = torch.cat([z, torch.full((len(z), 1), number)], dim=1)
            case _:
                raise ValueError(each)
    return z


def members(described, logits):
    """Log-odds of a composition from the logits of its sources."""
    found = []
    for member in described:
        y = logits[member["source"]]
        others = [place for place in range(y.shape[1]) if place != member["output"]]
        against = y[:, others]
        if member["outside"]:
            against = torch.cat([against, torch.zeros(len(y), 1)], dim=1)
        odds = torch.logsumexp(against, dim=1) if member["rest"] is None else y[:, member["rest"]]
        found.append(member["scale"] * (y[:, member["output"]] - odds) + member["bias"])
    return torch.stack(found, dim=1)


if __name__ == "__main__":
    with torch.no_grad():
        found = run(Path(sys.argv[1]), safetensors.torch.load_file(sys.argv[2])["images"])
    assert not any(name.split(".")[0] == "modelfoundry" for name in sys.modules)
    safetensors.torch.save_file(dict(zip(("logits", "probabilities"), found, strict=True)), sys.argv[3])
