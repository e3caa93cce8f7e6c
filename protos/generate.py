"""Generates the Python stubs in `protos/gen` from the contracts in `protos/modelfoundry`.

`python protos/generate.py` rewrites them; `python protos/generate.py --check` fails when they are stale.
"""

from __future__ import annotations

import argparse
import filecmp
import shutil
import sys
import sysconfig
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent
GENERATED = PROTOS / "gen"


def generate(target: Path) -> None:
    """Writes `*_pb2.py`, `*_pb2_grpc.py` and their `.pyi` for every contract below `target`."""
    contracts = sorted(str(path.relative_to(PROTOS)) for path in (PROTOS / "modelfoundry").rglob("*.proto"))
    well_known = resources.files("grpc_tools") / "_proto"
    scripts = Path(sysconfig.get_path("scripts"))
    arguments = [
        "protoc",
        f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
        f"-I{PROTOS}",
        f"-I{PROTOS / 'third_party'}",
        f"-I{well_known}",
        f"--python_out={target}",
        f"--grpc_python_out={target}",
        f"--mypy_out=quiet:{target}",
        f"--mypy_grpc_out=quiet:{target}",
        *contracts,
    ]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed: see above")


def differences(expected: Path, actual: Path) -> list[str]:
    """Paths below either folder that are missing on one side or differ."""
    found = {path.relative_to(folder) for folder in (expected, actual) for path in folder.rglob("*_pb2*.py*")}
    return [
        str(path)
        for path in sorted(found)
        if path.suffix in {".py", ".pyi"}
        and not (
            (expected / path).is_file()
            and (actual / path).is_file()
            and filecmp.cmp(expected / path, actual / path, shallow=False)
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the stubs are stale")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        if check:
            stale = differences(fresh, GENERATED)
            if stale:
                sys.exit("Stale stubs (run `make proto`):\n" + "\n".join(f"  {path}" for path in stale))
            return
        shutil.rmtree(GENERATED, ignore_errors=True)
        shutil.copytree(fresh, GENERATED)


if __name__ == "__main__":
    main()
