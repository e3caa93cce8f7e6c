"""`python -m modelfoundry.cli`: the same as the `modelfoundry` script."""

from __future__ import annotations

from modelfoundry.cli.main import main

if __name__ == "__main__":
    main()
