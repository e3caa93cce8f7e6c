"""`python -m modelfoundry.registry`: starts the registry with settings from the environment."""

from __future__ import annotations

import gc

from modelfoundry.registry.app import registry
from modelfoundry.registry.settings import RegistrySettings
from modelfoundry.runtime.logging import configure_logging
from modelfoundry.runtime.server import run, serve
from modelfoundry.runtime.shutdown import ShutdownSignal


async def main() -> None:
    """Joins the parts and serves."""
    settings = RegistrySettings()
    configure_logging(settings.log_level, settings.log_format)
    shutdown = ShutdownSignal()
    async with registry(settings, shutdown) as parts:
        gc.freeze()  # what is loaded stays: collections need not look through it, which takes a search's time
        await serve(
            parts.services,
            listen=settings.listen,
            ready=parts.ready,
            background=parts.background,
            port_file=settings.port_file,
            options=settings.options,
            shutdown=shutdown,
        )


if __name__ == "__main__":
    run(main())
