"""The kinds of jobs that the reuser queues, and what its workers run for each."""

from __future__ import annotations

from typing import Final

EXPORT_KIND: Final = "export"
COMPACT_KIND: Final = "compact"
COMPOSE_KIND: Final = "compose"
REQUEST_KIND: Final = "request"

# By import path: the server names them, a worker process imports them.
HANDLERS: Final = {
    EXPORT_KIND: "modelfoundry.reuser.exporting.jobs:run_export",
    COMPACT_KIND: "modelfoundry.reuser.exporting.jobs:run_compact",
    COMPOSE_KIND: "modelfoundry.reuser.composing.jobs:run_compose",
}
# A request only waits for other jobs, so it runs beside the slots of these.
WAITING_HANDLERS: Final = {REQUEST_KIND: "modelfoundry.reuser.on_demand.job:run_request"}
