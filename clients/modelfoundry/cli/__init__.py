"""The `modelfoundry` command: people and scripts at a terminal, on top of `modelfoundry.client`."""
