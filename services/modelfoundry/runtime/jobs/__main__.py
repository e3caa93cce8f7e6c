"""A worker process: `python -m modelfoundry.runtime.jobs` carries out the job that comes on standard input."""

from __future__ import annotations

import argparse

from modelfoundry.runtime.jobs.standalone import carry_out, die_with_parent
from modelfoundry.runtime.logging import configure_logging


def main() -> None:
    """Reads a ticket in one line from standard input, which stays open as long as the parent lives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--log-format", default="console")
    arguments = parser.parse_args()
    die_with_parent()
    configure_logging(arguments.log_level, arguments.log_format)
    carry_out()


if __name__ == "__main__":
    main()
