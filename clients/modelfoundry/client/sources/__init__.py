"""Data sets on this machine, read in the forms that people have them in. No pickle is ever read."""

from modelfoundry.client.sources.prepared import PreparedDataset, prepare_dataset

__all__ = ["PreparedDataset", "prepare_dataset"]
