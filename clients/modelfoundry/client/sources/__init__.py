"""Data sets on this machine, read in the forms that people have them in. No pickle is ever read."""

from modelfoundry.client.sources.prepare import prepare_dataset
from modelfoundry.client.sources.prepared import PreparedDataset

__all__ = ["PreparedDataset", "prepare_dataset"]
