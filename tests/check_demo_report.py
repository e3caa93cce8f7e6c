"""Checks what `make demo` left behind: the promise that the README makes. Usage: check_demo_report.py REPORT"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import mean

FIELDS = {
    "label", "original_accuracy", "original_accuracy_restricted", "module_accuracy", "weight_retention", "module_bytes",
    "base_bytes", "split", "samples", "module_name", "digest",
}  # fmt: skip
COMPOSITION_FIELDS = {
    "best_source_accuracy", "ensemble_accuracy", "composed_accuracy", "parameters", "macs", "modules",
}  # fmt: skip


def main() -> None:
    report = json.loads(Path(sys.argv[1]).read_text())
    modules = report["modules"]
    problems = [f"{m.get('label')}: lacks {sorted(FIELDS - m.keys())}" for m in modules if not m.keys() >= FIELDS]
    original, own = (mean(m[key] for m in modules) for key in ("original_accuracy", "module_accuracy"))
    retention = mean(m["weight_retention"] for m in modules)
    if len(modules) != 11:
        problems.append(f"{len(modules)} modules, not ten binary ones and a multi-class one")
    if any(m["split"] != "test" for m in modules):
        problems.append("measured on another split than test")
    if own < original:
        problems.append(f"modules are less accurate than the original: {own:.4f} < {original:.4f}")
    if retention > 0.10:
        problems.append(f"{retention:.1%} of the weights kept, not a tenth of them")
    if original < 0.98:
        problems.append(f"the original knows its digits badly: {original:.4f}")
    composition = report.get("composition") or {}
    problems += [f"composition: lacks {key}" for key in sorted(COMPOSITION_FIELDS - composition.keys())]
    if composition.get("composed_accuracy", 0) <= composition.get("best_source_accuracy", 1):
        problems.append("the composed model is not more accurate than the best source")
    if len(composition.get("modules", {})) != 10 or composition.get("split") != "test":
        problems.append("composition: not ten labels measured on test")
    sys.stdout.write(f"demo report: original {original:.4f}, modules {own:.4f}, weights kept {retention:.1%}\n")
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
