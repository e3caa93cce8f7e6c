"""`modelfoundry registry fsck` on a real registry."""

from __future__ import annotations

import json

from .conftest import Registry, weights


def test_it_names_what_is_wrong_and_what_is_made_of_it(registry: Registry) -> None:
    flipped = registry.add_model("flipped", weights(1))
    gone = registry.add_model("gone", weights(2))
    registry.add_model("sound", weights(3))
    sound = registry.run("registry", "fsck")
    assert (sound.returncode, "3 blobs" in sound.stdout, "0 findings" in sound.stdout) == (0, True, True)

    content = bytearray(weights(1))
    content[-1] ^= 1
    registry.backend.overwrite(flipped.weights.digest, bytes(content))
    registry.backend.vanish(gone.weights.digest)
    stray = "sha256:" + "ab" * 32
    if registry.backend.arguments[0] == "folder":
        (registry.backend.store._path(stray)).parent.mkdir(exist_ok=True)  # type: ignore[attr-defined]
        (registry.backend.store._path(stray)).touch()  # type: ignore[attr-defined]
        registry.backend.overwrite(stray, b"stray")
    else:
        registry.backend.overwrite(stray, b"stray")
    before = registry.backend.keys()

    found = registry.run("registry", "fsck", "--json")

    *findings, progress = [json.loads(line) for line in found.stdout.splitlines()]
    assert found.returncode == 1
    assert {(finding["kind"], finding["digest"], tuple(finding["resources"])) for finding in findings} == {
        ("corrupt", flipped.weights.digest, (flipped.name,)),
        ("missing", gone.weights.digest, (gone.name,)),
        ("stray", stray, ()),
    }
    assert (progress["findings"], progress["complete"]) == (3, True)
    assert registry.backend.keys() == before
    assert "corrupt" in registry.run("registry", "fsck").stdout
