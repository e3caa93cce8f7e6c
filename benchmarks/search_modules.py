"""Times searches and lists of a registry with many modules, in the server without the network.

Usage: python benchmarks/search_modules.py [--modules 100000] [--seconds 20] [--database FILE]

Fills a SQLite database through the registry's tables with synthetic modules of models with the labels of CIFAR-10,
CIFAR-100 and ImageNet (popular labels have more of them), then calls what the servicers call: search or list, and the
encoding of the response.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import insert

from modelfoundry.api.registry.v1 import module_pb2, search_pb2
from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.local_store import LocalBlobStore
from modelfoundry.registry.catalog.modules import Modules
from modelfoundry.registry.database import Database
from modelfoundry.registry.listing.pages import ListRequest
from modelfoundry.registry.records.calls import fill_page
from modelfoundry.registry.records.listed_modules import PackedModuleRow, listed_module_to_proto
from modelfoundry.registry.records.shelf import Shelf
from modelfoundry.registry.records.stored_messages import packed_module
from modelfoundry.registry.records.tables import (
    DatasetRow,
    EvaluationRow,
    LabelRow,
    ModelRow,
    ModuleRow,
    TagRow,
)
from modelfoundry.registry.search.indexing import index_modules
from modelfoundry.registry.search.search import ModuleSearch, hit_to_proto
from modelfoundry.registry.search.vocabulary import built_in

PARENT = "projects/default"
CIFAR_10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BUILDERS = ("zoo:simcnn", "zoo:rescnn", "zoo:incecnn", "zoo:resnet20", "zoo:vgg16_bn", "torchvision:resnet50")
WORDS = ("fast", "small", "vision", "team", "edge", "farm", "street", "night", "camera", "robot", "draft", "final")
LICENSES = ("MIT", "Apache-2.0", "BSD-3-Clause", "CC-BY-4.0")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
CHUNK = 2000


def labels_of(vocabulary: str) -> list[str]:
    """Terms that nothing is a kind of."""
    content = built_in(vocabulary)
    return [term.term for term in content.terms if next(content.kinds_of(term), None) is None]


def described(name: str, when: datetime) -> dict[str, Any]:
    return {
        "name": name,
        "project": "default",
        "uid": name,
        "etag": "e",
        "create_time": when,
        "update_time": when,
        "display_name": "",
        "description": "",
        "license": "",
        "tags": {},
    }


def fill(database: Database, count: int, random_numbers: random.Random) -> None:
    """Puts models, data sets, modules and evaluations there, and indexes them as the catalog does."""
    label_sets = {"cifar10": list(CIFAR_10), "cifar100": labels_of("cifar-100"), "imagenet": labels_of("imagenet")}
    size = {"channels": 3, "height": 32, "width": 32}
    with database.session() as session:
        for dataset in label_sets:
            name = f"{PARENT}/datasets/{dataset}"
            session.add(DatasetRow(**described(name, EPOCH), labels=[], splits=[], **size, digest=dataset))
            for builder in BUILDERS:
                name = f"{PARENT}/models/{dataset}-{builder.partition(':')[2].replace('_', '-')}"
                weights = {"weights_digest": name, "weights_bytes": 1, "tensors": []}
                session.add(
                    ModelRow(**described(name, EPOCH), builder=builder, **size, mean=[], std=[], labels=[], **weights)
                )
    for start in range(0, count, CHUNK):
        modules = [module(number, label_sets, random_numbers) for number in range(start, min(start + CHUNK, count))]
        with database.session() as session:
            session.execute(insert(ModuleRow), modules)
            session.execute(
                insert(LabelRow),
                [
                    {"resource": one["name"], "position": position, "label": label}
                    for one in modules
                    for position, label in enumerate(one["labels"])
                ],
            )
            session.execute(
                insert(TagRow),
                [
                    {"resource": one["name"], "key": key, "value": value}
                    for one in modules
                    for key, value in one["tags"].items()
                ],
            )
            session.execute(
                insert(EvaluationRow),
                [evaluation(one, random_numbers) for one in modules if random_numbers.random() < 0.8],
            )
            packed = [
                {"module": one["name"], "packed": packed_module(one["record"], one["retention"])} for one in modules
            ]
            session.execute(insert(PackedModuleRow), packed)
            index_modules(session, [one["name"] for one in modules])


def module(number: int, label_sets: dict[str, list[str]], random_numbers: random.Random) -> dict[str, Any]:
    dataset = random_numbers.choices(list(label_sets), (3, 3, 4))[0]
    labels = label_sets[dataset]
    # Some labels are asked for more than others.
    first = int(len(labels) * random_numbers.random() ** 1.5)
    several = random_numbers.random() < 0.15
    chosen = [labels[first]]
    if several:
        chosen = list(dict.fromkeys([*chosen, *random_numbers.sample(labels, 4)]))
    builder = random_numbers.choice(BUILDERS).partition(":")[2].replace("_", "-")
    words = random_numbers.sample(WORDS, 2)
    name = f"{PARENT}/modules/m-{number:07}"
    retention = random_numbers.random() * 0.3
    layers = [
        {"layer": f"layer{index}.conv", "weight_retention": retention, "kept_weights": "1234", "total_weights": "36864"}
        for index in range(16)
    ]
    return described(name, EPOCH + timedelta(seconds=number)) | {
        "base_model": f"{PARENT}/models/{dataset}-{builder}",
        "base_digest": "b",
        "binary": not several,
        "labels": chosen,
        "artifact_digest": f"sha256:{number:064}",
        "artifact_bytes": int(10 ** random_numbers.uniform(4, 7)),
        "dataset": f"{PARENT}/datasets/{dataset}",
        "algorithm": random_numbers.choice(("seam", "seam", "gradsplitter")),
        "operation": "",
        "cache_key": f"key-{number}",
        "weight_retention": retention,
        "record": {
            "algorithm": "seam",
            "seed": "7",
            "settings": {f"setting_{index}": index * 0.1 for index in range(12)},
            "validation_accuracy": 0.9,
            "validation_samples": "500",
            "environment": {"device": "cpu", "libraries": {"torch": "2.9.0", "numpy": "2.3.0"}},
        },
        "retention": {
            "weight_retention": retention,
            "kept_weights": "100000",
            "total_weights": "1000000",
            "layers": layers,
        },
        "display_name": f"{chosen[0]} {words[0]} {words[1]}",
        "license": random_numbers.choice(LICENSES),
        "tags": {"team": random_numbers.choice(WORDS), "stage": random_numbers.choice(("draft", "final"))},
    }


def evaluation(module_row: dict[str, Any], random_numbers: random.Random) -> dict[str, Any]:
    accuracy = round(1 - random_numbers.random() ** 2 * 0.5, 4)
    return {
        "name": module_row["name"].replace("/modules/", "/evaluations/"),
        "project": "default",
        "create_time": module_row["create_time"],
        "subject": module_row["name"],
        "subject_digest": module_row["artifact_digest"],
        "module": module_row["name"],
        "dataset": module_row["dataset"],
        "dataset_digest": "d",
        "split": "test",
        "operation": "",
        "accuracy": accuracy,
        "content": {
            "classification": {"accuracy": accuracy, "f1": accuracy - 0.01},
            "cost": {"latencies": [{"batch_size": 1, "median_ms": random_numbers.uniform(0.5, 20)}]},
        },
    }


def misspelt(word: str, random_numbers: random.Random) -> str:
    at = random_numbers.randrange(len(word) - 1)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def searches(random_numbers: random.Random) -> dict[str, Callable[[], tuple[str, dict[str, Any]]]]:
    """Kinds of searches; each call makes one."""
    labels = [*CIFAR_10, *labels_of("cifar-100"), *labels_of("imagenet")]
    groups = [
        term.term
        for vocabulary in map(built_in, ("cifar-100", "imagenet"))
        for term in vocabulary.terms
        if next(vocabulary.kinds_of(term), None) is not None
    ]
    filters = (
        "accuracy > 0.9",
        "accuracy > 0.9 AND size_bytes < 2000000",
        'f1 > 0.9 AND size_bytes < 2000000 AND latency_ms < 5 AND license = "MIT"',
        'architecture = "zoo:resnet20" AND algorithm = seam',
        'tags.team = "vision" AND dataset:"cifar"',
        "accuracy > 0.9999 AND size_bytes < 11000",
    )
    pick = random_numbers.choice
    return {
        "label": lambda: (pick(labels), {}),
        "label of CIFAR-10": lambda: (pick(CIFAR_10), {}),
        "beginning of a label": lambda: (pick(labels)[: random_numbers.randint(2, 4)], {}),
        "misspelt label": lambda: (misspelt(pick(labels), random_numbers), {}),
        "super-class": lambda: (pick(groups), {}),
        "animal (most of all)": lambda: ("animal", {}),
        "word of a name or tag": lambda: (f"{pick(WORDS)} {pick(WORDS)}", {}),
        "label and filter": lambda: (pick(labels), {"filter": pick(filters)}),
        "super-class and filter": lambda: (pick(groups), {"filter": pick(filters)}),
        "no query and filter": lambda: ("", {"filter": pick(filters)}),
        "label and order": lambda: (pick(labels), {"order_by": pick(("size_bytes", "latency_ms", "create_time desc"))}),
        "super-class and order": lambda: (pick(groups), {"order_by": pick(("size_bytes", "create_time desc"))}),
        "nothing like it": lambda: ("xyzzyx plugh", {}),
    }


@dataclass(frozen=True)
class Took:
    """Milliseconds on the clock, and of the processor: the same where nobody else uses the machine."""

    clock: float
    processor: float


def timed(call: Callable[[], Any]) -> tuple[Took, Any]:
    clock, processor = time.perf_counter(), time.thread_time()
    result = call()
    return Took((time.perf_counter() - clock) * 1000, (time.thread_time() - processor) * 1000), result


class Rooms(NamedTuple):
    """What is measured."""

    search: ModuleSearch
    modules: Modules


def search(rooms: Rooms, query: str, arguments: dict[str, Any]) -> search_pb2.SearchModulesResponse:
    response = search_pb2.SearchModulesResponse()
    page = rooms.search.find(query, ListRequest(PARENT, **arguments))
    response.next_page_token = fill_page(page, hit_to_proto, response.results)
    return response


def list_modules(rooms: Rooms, arguments: dict[str, Any]) -> module_pb2.ListModulesResponse:
    response = module_pb2.ListModulesResponse()
    page = rooms.modules.listed(ListRequest(PARENT, **arguments))
    response.next_page_token = fill_page(page, listed_module_to_proto, response.modules)
    return response


def deep_pages(rooms: Rooms, query: str) -> Iterator[Took]:
    """Times of 40 pages, one behind the other."""
    token = ""
    for _ in range(40):
        took, response = timed(partial(search, rooms, query, {"page_token": token}))
        yield took
        token = response.next_page_token
        if not token:
            return


def row(title: str, times: Sequence[Took]) -> str:
    def at(share: float, ordered: Sequence[float]) -> str:
        return f"{ordered[min(len(ordered) - 1, int(len(ordered) * share))]:.1f}"

    columns = (sorted(took.clock for took in times), sorted(took.processor for took in times))
    figures = " | ".join(at(share, ordered) for ordered in columns for share in (0.5, 0.95, 1))
    return f"| {title} | {len(times)} | {figures} |"


def measure(rooms: Rooms, seconds: float, random_numbers: random.Random) -> None:
    kinds = searches(random_numbers)
    times: dict[str, list[Took]] = {kind: [] for kind in kinds}
    for make in kinds.values():
        query, arguments = make()
        search(rooms, query, arguments)  # opens connections, reads vocabularies
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for kind, make in kinds.items():
            query, arguments = make()
            times[kind].append(timed(partial(search, rooms, query, arguments))[0])
    deep = [took for query in ("dog", "cat", "horse", "animal") for took in deep_pages(rooms, query)]
    lists = [timed(partial(list_modules, rooms, {}))[0] for _ in range(100)]
    print("Milliseconds on the clock, and of the processor (the same where nobody else uses the machine):\n")
    print("| call | calls | median | 95 % | max | processor median | 95 % | max |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for kind, found in times.items():
        print(row(f"search: {kind}", found))
    print(row("search: pages 1 to 40", deep))
    print(row("**all searches**", [*deep, *(took for found in times.values() for took in found)]))
    print(row("**ListModules, first page, no filter**", lists))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--database", type=Path, help="kept, and used again when it is there")
    arguments = parser.parse_args()
    random_numbers = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.database or Path(folder) / "registry.db"
        is_new = not path.exists()
        database = Database(f"sqlite:///{path}")
        database.migrate()
        if is_new:
            took, _ = timed(lambda: fill(database, arguments.modules, random_numbers))
            print(f"filled in {took.clock / 1000:.0f} s")
        shelf = Shelf(database, Blobs(database, LocalBlobStore(Path(folder) / "blobs")))
        rooms = Rooms(ModuleSearch(shelf), Modules(shelf))
        print(f"{arguments.modules} modules, {path.stat().st_size / 1e6:.0f} MB, pages of 50, one caller")
        print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}, ", end="")
        print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.machine()}\n")
        gc.freeze()  # as the registry does
        measure(rooms, arguments.seconds, random_numbers)
        database.close()


if __name__ == "__main__":
    main()
