"""The search index follows the catalog in the same transactions, and migrations index what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import inspect, text

from modelfoundry import errors
from modelfoundry.api.registry.v1 import evaluation_pb2, module_pb2
from modelfoundry.api.types.v1 import metrics_pb2
from modelfoundry.registry.database import MIGRATIONS, Database
from modelfoundry.registry.listing.pages import ListRequest
from modelfoundry.registry.search.search import ModuleSearch, hit_to_proto

MODULE = "projects/default/modules/horse"


@pytest.fixture
def base(registry: Any) -> Any:
    return registry.create_model("net")


@pytest.fixture
def dataset(registry: Any) -> Any:
    return registry.create_dataset("digits")


@pytest.fixture
def module(registry: Any, base: Any, dataset: Any) -> Any:
    return registry.create_module(base, dataset, "horse", display_name="Fine Mare", tags={"team": "vision"})


def _found(registry: Any, query: str, where: str = "") -> list[str]:
    page = ModuleSearch(registry.shelf).find(query, ListRequest("projects/default", filter=where))
    return [result.module.row.name.rpartition("/")[2] for result in page.rows]


def _rows(registry: Any) -> list[int]:
    """Modules, terms in use and entries of the index; on SQLite no other terms stay, in the full-text index neither."""
    terms = "search_terms"
    with registry.database.session() as session:
        if session.get_bind().dialect.name == "sqlite":
            session.execute(text("INSERT INTO search_terms_fts(search_terms_fts, rank) VALUES ('integrity-check', 1)"))
        else:
            terms += " WHERE EXISTS (SELECT 1 FROM search_entries WHERE term_id = search_terms.id)"
        tables = ("search_modules", terms, "search_entries")
        return [session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in tables]


def test_a_module_is_found_as_soon_as_it_is_registered(registry: Any, module: Any) -> None:
    assert _found(registry, "horse") == _found(registry, "mare") == _found(registry, "vision") == ["horse"]
    assert _rows(registry) == [1, 4, 4]


def test_a_changed_module_is_found_by_what_it_is_now(registry: Any, module: Any) -> None:
    change = module_pb2.Module(name=MODULE, display_name="Old Stallion", license="MIT", tags={"team": "audio"})
    registry.call(
        "UpdateModule",
        module_pb2.UpdateModuleRequest(module=change, update_mask=FieldMask(paths=["display_name", "license", "tags"])),
    )

    assert _found(registry, "stallion") == _found(registry, "audio", 'license = "MIT"') == ["horse"]
    assert _found(registry, "mare") == _found(registry, "vision") == []
    assert _rows(registry) == [1, 4, 4]


def test_a_change_that_is_refused_changes_nothing(registry: Any, module: Any) -> None:
    change = module_pb2.Module(name=MODULE, display_name="Other", etag='"old"')
    with pytest.raises(errors.EtagMismatch):
        registry.call("UpdateModule", module_pb2.UpdateModuleRequest(module=change))

    assert (_found(registry, "mare"), _found(registry, "other")) == (["horse"], [])


def test_a_deleted_module_leaves_nothing(registry: Any, base: Any, dataset: Any, module: Any) -> None:
    registry.create_evaluation(module, dataset)
    registry.create_module(base, dataset, "twin")
    registry.call("DeleteModule", module_pb2.DeleteModuleRequest(name=MODULE))

    assert _found(registry, "horse") == ["twin"]
    assert _rows(registry) == [1, 1, 1]
    registry.call("DeleteModule", module_pb2.DeleteModuleRequest(name="projects/default/modules/twin"))
    assert _rows(registry) == [0, 0, 0]


def test_a_row_that_goes_in_any_other_way_takes_its_index_with_it(registry: Any, module: Any) -> None:
    with registry.database.session() as session:
        session.execute(text("DELETE FROM modules"))

    assert _rows(registry) == [0, 0, 0]


def test_measurements_are_followed(registry: Any, base: Any, dataset: Any, module: Any) -> None:
    def accuracy(value: float, f1: float) -> Any:
        return metrics_pb2.ClassificationMetrics(accuracy=value, f1=f1)

    registry.create_evaluation(module, dataset, classification=accuracy(0.6, 0.5))
    best = registry.create_evaluation(module, dataset, classification=accuracy(0.9, 0.7))
    registry.create_evaluation(module, dataset, classification=accuracy(1.0, 1.0), split="train")
    registry.create_evaluation(base, dataset, module=module.name, classification=accuracy(1.0, 1.0))
    cost = metrics_pb2.CostMetrics(latencies=[metrics_pb2.Latency(batch_size=1, median_ms=3.5)])
    timed = registry.create_evaluation(module, dataset, split="train", cost=cost)

    assert _found(registry, "horse", "accuracy = 0.9 AND f1 = 0.7 AND latency_ms = 3.5") == ["horse"]
    assert _found(registry, "horse", "auc > 0") == []  # the best one did not measure it
    for evaluation in (best, timed):
        registry.call("DeleteEvaluation", evaluation_pb2.DeleteEvaluationRequest(name=evaluation.name))
    assert _found(registry, "horse", "accuracy = 0.6 AND f1 = 0.5") == ["horse"]
    assert _found(registry, "horse", "latency_ms > 0") == []
    assert _rows(registry) == [1, 4, 4]


def test_areas_of_the_best_measurement_are_shown_and_can_be_asked_for(
    registry: Any, base: Any, dataset: Any, module: Any
) -> None:
    registry.create_module(base, dataset, "twin")
    for value, auc in ((0.6, 0.99), (0.9, 0.97)):
        registry.create_evaluation(
            module,
            dataset,
            classification=metrics_pb2.ClassificationMetrics(accuracy=value),
            discrimination=metrics_pb2.DiscriminationMetrics(auc=auc, balanced_accuracy=auc - 0.1),
        )

    assert _found(registry, "", "auc = 0.97 AND balanced_accuracy > 0.86") == ["horse"]
    page = ModuleSearch(registry.shelf).find("", ListRequest("projects/default", order_by="auc desc"))
    first, second = (hit_to_proto(hit).measured for hit in page.rows)
    assert (first.auc, first.balanced_accuracy) == pytest.approx((0.97, 0.87))
    assert not second.HasField("auc")


def test_what_is_only_validated_is_not_indexed(registry: Any, base: Any, dataset: Any) -> None:
    message = registry.module_message(base, dataset)
    registry.call(
        "CreateModule", module_pb2.CreateModuleRequest(parent="projects/default", module=message, validate_only=True)
    )

    assert _rows(registry) == [0, 0, 0]


def test_modules_that_are_there_are_indexed_by_the_migration(registry: Any, module: Any, dataset: Any) -> None:
    registry.create_evaluation(
        module,
        dataset,
        classification=metrics_pb2.ClassificationMetrics(accuracy=0.75),
        discrimination=metrics_pb2.DiscriminationMetrics(auc=0.875),
    )
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with registry.database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        assert not [name for name in inspect(connection).get_table_names() if "search" in name]

    registry.database.migrate()

    assert _found(registry, "horse", "accuracy = 0.75 AND auc = 0.875") == _found(registry, "mare") == ["horse"]
    assert _rows(registry) == [1, 4, 4]


def test_a_new_database_is_ready_for_searches(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    database.migrate()
    with database.read_session() as session:
        assert session.execute(text("SELECT count(*) FROM search_terms_fts")).scalar() == 0
    database.close()


def test_a_list_shows_what_a_module_shows(registry: Any, module: Any) -> None:
    listed = registry.call("ListModules", module_pb2.ListModulesRequest(parent="projects/default"))

    assert list(listed.modules) == [registry.call("GetModule", module_pb2.GetModuleRequest(name=MODULE))] == [module]
