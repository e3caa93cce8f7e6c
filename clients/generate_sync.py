"""Writes `modelfoundry/client/_sync` from `modelfoundry/client/_async`; with `--check` says whether it is up to date.

Every name `AsyncX` becomes `X`, in code and docstrings, and `async` and `await` are taken out.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import unasync  # type: ignore[import-untyped]

CLIENT = Path(__file__).parent / "modelfoundry" / "client"
HEADER = "# Generated from `_async` by clients/generate_sync.py: change it there.\n# ruff: noqa: UP028, RUF100\n"
NAMES = {"_async": "_sync", "connect_async": "connect"}
IN_TEXT = {
    r"\bAsync([A-Z])": r"\1",
    r"  # noqa: ASYNC.*": "",
    r"`async with`": "`with`",
    r"\(await (\w+\(\w*\))\)": r"\1",
    r"The SDK for asyncio\. .* generated from it by": "The SDK for threads, made from `_async` by",
}


def generate(target: Path) -> None:
    """Writes all sync modules into a folder."""
    sources = sorted((CLIENT / "_async").glob("*.py"))
    text = "".join(source.read_text(encoding="utf-8") for source in sources)
    prefixed = set(re.findall(r"\bAsync[A-Z]\w*", text))
    names = {name: name.removeprefix("Async") for name in prefixed} | NAMES
    rule = unasync.Rule(f"{CLIENT}/_async/", f"{target}/", additional_replacements=names)
    unasync.unasync_files([str(source) for source in sources], [rule])
    for path in target.glob("*.py"):
        code = path.read_text(encoding="utf-8")
        path.write_text(HEADER + _in_comments(code), encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    settings = ["--config", str(CLIENT.parents[2] / "pyproject.toml"), "--quiet"]
    subprocess.run([*ruff, "check", "--select", "I", "--fix", *settings, str(target)], check=True)  # noqa: S603 - our own arguments
    subprocess.run([*ruff, "format", *settings, str(target)], check=True)  # noqa: S603 - our own arguments


def _in_comments(code: str) -> str:
    for pattern, replacement in IN_TEXT.items():
        code = re.sub(pattern, replacement, code)
    return code


def main() -> int:
    """Generates, or compares with what is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when files would change")
    arguments = parser.parse_args()
    committed = CLIENT / "_sync"
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        wanted = {path.name: path.read_bytes() for path in fresh.glob("*.py")}
    present = {path.name: path.read_bytes() for path in committed.glob("*.py")}
    if arguments.check:
        stale = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
        for name in stale:
            sys.stderr.write(f"{committed / name} is not what _async gives: run clients/generate_sync.py\n")
        return 1 if stale else 0
    committed.mkdir(exist_ok=True)
    for name in present.keys() - wanted.keys():
        (committed / name).unlink()
    for name, content in wanted.items():
        (committed / name).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
