"""What an export describes, as a network again."""

from modelfoundry.core.exported.classifier import (
    DESCRIPTION_FILE,
    FORMAT,
    FORMAT_VERSION,
    OPERATING_VERSION,
    ImageClassifier,
)
from modelfoundry.core.exported.rebuilding import EXPORTED, rebuilt

__all__ = [
    "DESCRIPTION_FILE",
    "EXPORTED",
    "FORMAT",
    "FORMAT_VERSION",
    "OPERATING_VERSION",
    "ImageClassifier",
    "rebuilt",
]
