"""Files of a folder that somebody else wrote: only plain ones inside of it, and not larger than they may be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from modelfoundry.client.hub.content import CONFIG_FILE, WEIGHTS_FILE
from modelfoundry.errors import MalformedFile

MAX_CONFIG_BYTES: Final = 4 * 1024 * 1024
MAX_README_BYTES: Final = 1024 * 1024
PICKLES: Final = ("pytorch_model.bin", "pytorch_model.pth", "model.pth", "model.pt", "model.bin")
SHARDS: Final = "model.safetensors.index.json"


def read_config(folder: Path) -> Mapping[str, Any]:
    """What `config.json` holds.

    Raises:
        MalformedFile: it is not there, not a plain file of the folder, too large, or no JSON object.
    """
    if not folder.is_dir():
        raise MalformedFile(f"{folder} is no folder", field="folder", hint="check the path")
    if not (folder / CONFIG_FILE).exists():
        raise MalformedFile(
            f"{folder} has no {CONFIG_FILE}",
            field=CONFIG_FILE,
            hint="pass a folder that `modelfoundry module export --format hub` or timm wrote",
        )
    text = read_text(folder, CONFIG_FILE, MAX_CONFIG_BYTES)
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedFile(
            f"{CONFIG_FILE} is no JSON: {error}", field=CONFIG_FILE, hint="download the folder again"
        ) from error
    if not isinstance(content, dict):
        raise MalformedFile(f"{CONFIG_FILE} holds no object", field=CONFIG_FILE, hint="download the folder again")
    return content


def weights_in(folder: Path) -> Path:
    """The path of `model.safetensors`.

    Raises:
        MalformedFile: it is not there, or not a plain file of the folder; what is there instead is named.
    """
    if (folder / WEIGHTS_FILE).exists():
        return plain_file(folder, WEIGHTS_FILE)
    pickles = [name for name in PICKLES if (folder / name).exists()]
    if pickles:
        raise MalformedFile(
            f"{folder} has its weights as {pickles[0]} only, which is a pickle: reading one can run any program",
            field=WEIGHTS_FILE,
            hint=f"ask its owner for {WEIGHTS_FILE}, or rename the file to NAME.pth and pass it to `modelfoundry model "
            "push`, which reads nothing but tensors",
        )
    if (folder / SHARDS).exists():
        raise MalformedFile(
            f"the weights of {folder} are in several files",
            field=WEIGHTS_FILE,
            hint=f"join them to one {WEIGHTS_FILE} with safetensors",
        )
    raise MalformedFile(f"{folder} has no {WEIGHTS_FILE}", field=WEIGHTS_FILE, hint="download the folder again")


def read_text(folder: Path, name: str, limit: int) -> str:
    """A text file of the folder.

    Raises:
        MalformedFile: it is not a plain file of the folder, longer than `limit` bytes, or not UTF-8.
    """
    with plain_file(folder, name).open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise MalformedFile(f"{name} is longer than {limit:,} bytes", field=name, hint="shorten it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedFile(f"{name} is not UTF-8: {error}", field=name, hint="save it as UTF-8") from error


def plain_file(folder: Path, name: str) -> Path:
    """The real path of a file of the folder; links may lead to nothing outside of it.

    The cache of the Hub keeps snapshots as links to the blobs beside them: these are inside.

    Raises:
        MalformedFile: a link leads elsewhere, or it is no file.
    """
    path = (folder / name).resolve()
    root = folder.resolve()
    roots = [root, root.parents[1] / "blobs"] if root.parent.name == "snapshots" else [root]
    if not any(path.is_relative_to(allowed) for allowed in roots):
        raise MalformedFile(
            f"{name} is a link that leads out of {folder}",
            field=name,
            hint="copy the folder with `cp -rL`, and look at what it links to before",
        )
    if not path.is_file():
        raise MalformedFile(f"{name} of {folder} is no file", field=name, hint="download the folder again")
    return path


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
