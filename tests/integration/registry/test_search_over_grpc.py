"""Searches and vocabularies as clients meet them: over a socket, by the SDK and by the command line."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from safetensors.numpy import save
from warm_python import finished

from modelfoundry import errors
from modelfoundry.api.registry.v1 import dataset_pb2, evaluation_pb2, module_pb2, search_pb2, search_service_pb2_grpc
from modelfoundry.api.types.v1 import metrics_pb2, problem_pb2
from modelfoundry.client import AsyncClient, Endpoints, MatchKind, VocabularyTerm

PARENT = "projects/default"
DATASET = f"{PARENT}/datasets/digits"


def _module_file(base_digest: str, label: str) -> bytes:
    """A module in ModelFoundry's format over the weights of `make_weights`."""
    metadata = {
        "format": "modelfoundry.module",
        "format_version": "1",
        "base_digest": base_digest,
        "problem": json.dumps({"binary": {"label": label}}),
        "layout": json.dumps([["fc.weight", [3, 16]], ["fc.bias", [3]]]),
        "algorithm": "seam",
    }
    tensors = {
        "masks": np.arange(7, dtype=np.uint8),
        "head.weight": np.ones((2, 3), dtype=np.float32),
        "head.bias": np.zeros(2, dtype=np.float32),
    }
    return save(tensors, metadata)


async def _register(client: Any, label: str, accuracy: float) -> None:
    """A module of a label, with its evaluation."""
    last = label.replace(" ", "-").lower()
    model = await client.create_model(f"net-{last}", labels=(label, "other", "third"))
    module = module_pb2.Module(
        base_model=model.name,
        problem=problem_pb2.TargetProblem(binary=problem_pb2.BinaryProblem(label=label)),
        artifact=await client.upload(_module_file(model.weights.digest, label)),
        dataset=DATASET,
        record=module_pb2.DecompositionRecord(algorithm="seam"),
    )
    made = await client.registry.CreateModule(
        module_pb2.CreateModuleRequest(parent=PARENT, module_id=f"m-{last}", module=module)
    )
    evaluation = evaluation_pb2.Evaluation(
        subject=made.name,
        subject_digest=made.artifact.digest,
        scoring=evaluation_pb2.SCORING_ALL_OUTPUTS,
        dataset=DATASET,
        dataset_digest=(await client.registry.GetDataset(dataset_pb2.GetDatasetRequest(name=DATASET))).digest,
        split="test",
        classification=metrics_pb2.ClassificationMetrics(accuracy=accuracy, f1=accuracy),
    )
    await client.registry.CreateEvaluation(evaluation_pb2.CreateEvaluationRequest(parent=PARENT, evaluation=evaluation))


@pytest.fixture
async def cats(client: Any) -> Any:
    """A registry with a cat, a kind of cat, and a dog."""
    await client.create_dataset("digits", splits=("train", "test"))
    for label, accuracy in (("cat", 0.8), ("Persian cat", 0.9), ("dog", 0.95)):
        await _register(client, label, accuracy)
    return client


def _sdk(client: Any) -> AsyncClient:
    return AsyncClient(Endpoints(registry=client.address))


async def test_what_is_searched_is_found_with_reasons_and_figures(cats: Any) -> None:
    stub = search_service_pb2_grpc.SearchServiceStub(cats.channel)
    found = await stub.SearchModules(
        search_pb2.SearchModulesRequest(parent=PARENT, query="CAT", filter="accuracy > 0.5")
    )

    assert [result.module.name[-11:] for result in found.results] == ["dules/m-cat", "persian-cat"]
    assert found.results[0].matches == [search_pb2.Match(kind=search_pb2.MATCH_KIND_LABEL, label="cat")]
    assert found.results[0].measured.accuracy == 0.8
    assert not found.results[0].measured.HasField("latency_ms")
    assert found.results[1].architecture == "zoo:digits_cnn"


async def test_a_wrong_search_is_refused_with_reason_field_and_hint(cats: Any, failure_of: Any) -> None:
    stub = search_service_pb2_grpc.SearchServiceStub(cats.channel)
    for request, field in (
        ({"filter": "accuracie > 1"}, "filter"),
        ({"query": "x" * 201}, "query"),
        ({"page_token": "x"}, "page_token"),
        ({"order_by": "x"}, "order_by"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.SearchModules(search_pb2.SearchModulesRequest(parent=PARENT, **request))
        code, info = failure_of(caught.value)
        assert (code, info.metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, field)
        assert info.metadata["hint"]


async def test_the_sdk_searches_and_keeps_vocabularies(cats: Any) -> None:
    async with _sdk(cats) as sdk:
        made = await sdk.vocabularies.create(
            [VocabularyTerm(term="Katze", synonyms=("cat",)), VocabularyTerm(term="Perser", broader=("Katze",))],
            vocabulary_id="german",
        )
        (first, *_) = [result async for result in sdk.search("katze")]

        assert (first.module.id, first.measured.accuracy) == ("m-cat", 0.8)
        assert first.matches[0].kind is MatchKind.SYNONYM
        assert str(first.matches[0]) == "cat: synonym of Katze in german"
        assert (await sdk.vocabularies.get("german")).terms == made.terms
        assert [one.id for one in await sdk.vocabularies.list()] == ["cifar-100", "imagenet", "german"]
        with pytest.raises(errors.InvalidField, match="in a circle"):
            await sdk.vocabularies.create([VocabularyTerm(term="a", broader=("a",))])
        await sdk.vocabularies.delete(made)
        assert [result async for result in sdk.search("katze")] == []
        with pytest.raises(errors.NotFound):
            await sdk.vocabularies.get("german")


async def test_the_command_line_says_why(cats: Any, tmp_path: Path) -> None:
    file = tmp_path / "words.json"
    file.write_text(json.dumps([{"term": "mine"}, {"term": "pet", "synonyms": ["dog"], "broader": ["mine"]}]))
    environment = {**os.environ, "MODELFOUNDRY_REGISTRY": cats.address, "COLUMNS": "200"}

    async def cli(*arguments: str) -> tuple[int, str]:
        done = await asyncio.to_thread(finished, "modelfoundry.cli", *arguments, env=environment)
        return done.returncode, done.stdout + done.stderr

    assert (await cli("vocabulary", "add", str(file), "--name", "pets")) == (0, "added pets with 2 terms\n")
    status, table = await cli("search", "mine")
    assert status == 0
    assert "WHY" in table
    assert "dog: member of mine in pets" in table
    assert "95.0" in table
    status, found = await cli("search", "cat", "--filter", "accuracy > 0.85", "--json")
    assert [result["module"]["name"][-11:] for result in json.loads(found)] == ["persian-cat"]
    assert "imagenet" in (await cli("vocabulary", "list"))[1]
    assert (await cli("vocabulary", "rm", "pets"))[0] == 0
    assert (await cli("search", "mine")) == (0, "no modules found\n")
    file.write_text("[{}]")
    status, said = await cli("vocabulary", "add", str(file))
    assert status != 0
    assert "entry 0 is no term" in said


async def test_searches_go_on_while_modules_are_registered(cats: Any) -> None:
    stub = search_service_pb2_grpc.SearchServiceStub(cats.channel)
    creating = asyncio.gather(*(_register(cats, f"kitten {number}", 0.5) for number in range(8)))
    seen: list[int] = []
    while not creating.done():
        found = await stub.SearchModules(search_pb2.SearchModulesRequest(parent=PARENT, query="kitten"))
        seen.append(len(found.results))
    await creating

    assert seen == sorted(seen)
    found = await stub.SearchModules(search_pb2.SearchModulesRequest(parent=PARENT, query="kitten"))
    assert len(found.results) == 8
