"""All tables together: what migrations are compared with."""

from __future__ import annotations

from typing import Final

from sqlalchemy import MetaData
from sqlmodel import SQLModel

import modelfoundry.registry.blobs.tables
import modelfoundry.registry.jobs.tables
import modelfoundry.registry.records.alias_tables
import modelfoundry.registry.records.event_tables
import modelfoundry.registry.records.tables
import modelfoundry.registry.search.tables
import modelfoundry.registry.statements.tables
import modelfoundry.registry.webhooks.tables  # noqa: F401 - imported so that their tables are in the metadata

METADATA: Final[MetaData] = SQLModel.metadata
