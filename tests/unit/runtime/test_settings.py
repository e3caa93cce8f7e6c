from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from modelfoundry.decomposer.settings import DecomposerSettings
from modelfoundry.errors import InvalidField
from modelfoundry.evaluator.settings import EvaluatorSettings
from modelfoundry.registry.database import Database
from modelfoundry.registry.maintenance.backup import refuse_servers
from modelfoundry.registry.settings import RegistrySettings
from modelfoundry.reuser.settings import ReuserSettings
from modelfoundry.runtime.settings import JobSettings, ServiceSettings, data_dir


class Settings(JobSettings):
    model_config = SettingsConfigDict(env_prefix="MODELFOUNDRY_TESTER_")


def test_settings_come_from_the_environment_of_their_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELFOUNDRY_TESTER_LISTEN", "127.0.0.1:9")
    monkeypatch.setenv("MODELFOUNDRY_TESTER_GRACE_SECONDS", "3")
    settings = Settings()
    assert settings.listen == "127.0.0.1:9"
    assert settings.options.grace_seconds == 3


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().listen = "127.0.0.1:9"


@pytest.mark.parametrize("wrong", [{"slots": 0}, {"grace_seconds": -1}, {"log_level": "loud"}, {"lease_seconds": 0.5}])
def test_values_out_of_range_are_refused_at_the_start(wrong) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Settings(**wrong)


def test_a_service_that_carries_out_no_jobs_is_not_asked_about_them() -> None:
    of_jobs = JobSettings.model_fields.keys() - ServiceSettings.model_fields.keys()
    assert of_jobs == {"registry", "work_dir", "executor", "slots", "threads_per_job", "lease_seconds"}
    assert RegistrySettings.model_fields.keys() >= ServiceSettings.model_fields.keys()
    assert not RegistrySettings.model_fields.keys() & of_jobs


@pytest.mark.parametrize("service", [DecomposerSettings, EvaluatorSettings, ReuserSettings])
def test_workers_are_told_about_jobs_by_variables_of_their_own(
    monkeypatch: pytest.MonkeyPatch, service: type[JobSettings]
) -> None:
    prefix = service.model_config["env_prefix"]
    monkeypatch.setenv(f"{prefix}REGISTRY", "registry:1")
    monkeypatch.setenv(f"{prefix}SLOTS", "3")
    monkeypatch.setenv(f"{prefix}LOG_FORMAT", "json")
    settings = service()
    assert (settings.registry, settings.slots, settings.log_format) == ("registry:1", 3, "json")


@pytest.mark.parametrize("settings", [RegistrySettings, DecomposerSettings, EvaluatorSettings, ReuserSettings])
def test_every_setting_is_described(settings: type[ServiceSettings]) -> None:
    undescribed = [name for name, field in settings.model_fields.items() if not field.description]
    assert undescribed == []


def test_the_data_folder_can_be_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELFOUNDRY_HOME", str(tmp_path))
    assert data_dir() == tmp_path
    assert Settings().work_dir == tmp_path / "work"
    monkeypatch.delenv("MODELFOUNDRY_HOME")
    assert data_dir() == Path.home() / ".modelfoundry"


@pytest.mark.parametrize("name", ["a?1", "b%41", "c d", "Zählung", "e#f", "g&h=i", "j%3Fk", "file:l"])
def test_the_database_lies_in_the_data_folder_whatever_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("MODELFOUNDRY_HOME", str(tmp_path / name))
    settings = RegistrySettings()
    (tmp_path / name / "registry").mkdir(parents=True)
    database = Database(settings.database)
    database.migrate()
    database.close()
    files = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {Path(name, "registry", "registry.db")}
    assert refuse_servers(settings, "backup") == tmp_path / name / "registry" / "registry.db"


def test_a_relative_data_folder_is_no_url_either(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELFOUNDRY_HOME", "file:m?n")
    assert RegistrySettings().database.database == str(tmp_path / "file:m?n" / "registry" / "registry.db")


def test_a_database_that_is_named_is_taken_as_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELFOUNDRY_REGISTRY_DATABASE_URL", "postgresql+psycopg://user:pass%40word@host/name")
    url = RegistrySettings().database
    assert (url.get_backend_name(), url.password, url.database) == ("postgresql", "pass@word", "name")
    monkeypatch.setenv("MODELFOUNDRY_REGISTRY_DATABASE_URL", "no url")
    with pytest.raises(InvalidField) as caught:
        RegistrySettings().database  # noqa: B018
    assert caught.value.field == "database_url"
