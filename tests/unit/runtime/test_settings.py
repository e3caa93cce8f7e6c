from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from modelfoundry.runtime.settings import ServiceSettings, data_dir


class Settings(ServiceSettings):
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


def test_every_setting_is_described() -> None:
    undescribed = [name for name, field in ServiceSettings.model_fields.items() if not field.description]
    assert undescribed == []


def test_the_data_folder_can_be_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELFOUNDRY_HOME", str(tmp_path))
    assert data_dir() == tmp_path
    assert Settings().work_dir == tmp_path / "work"
    monkeypatch.delenv("MODELFOUNDRY_HOME")
    assert data_dir() == Path.home() / ".modelfoundry"
