"""Training classifiers from scratch, for those who have none to take apart yet."""

from modelfoundry.core.training.loop import EpochRecord, TrainingResult, train
from modelfoundry.core.training.settings import TrainingSettings

__all__ = ["EpochRecord", "TrainingResult", "TrainingSettings", "train"]
