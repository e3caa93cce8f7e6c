"""Which epoch of a search is taken (GradSplitter, Qi et al., TOSEM 2023, section 3.4).

The paper states the rule and leaves the choice to a person; here it is code, on validation data, never on test data.
"""

from __future__ import annotations

from dataclasses import dataclass

from modelfoundry.decomposer.algorithms.epochs import Verdict


@dataclass(slots=True)
class Selection:
    """The rule's memory. In words: of the epochs whose accuracy lies less than `accuracy_loss` below the base's, the
    one with the fewest kernels; ties go to the more accurate, then to the earlier. When none is accurate enough, the
    most accurate is taken.
    """

    base_accuracy: float
    """Accuracy of the untouched base on all labels, in [0, 1]."""
    accuracy_loss: float
    best_kept: int = -1
    """Kept kernels of the accepted epoch; -1: there is none yet."""
    best_accuracy: float = -1.0
    """Of the accepted epoch."""
    highest_accuracy: float = -1.0
    """Of all epochs."""
    highest_kept: int = -1
    """Kept kernels of the most accurate epoch."""

    def observe(self, accuracy: float, kept: int) -> Verdict:
        """Takes notice of an epoch.

        Args:
            accuracy: On validation data, in [0, 1].
            kept: Number of kept kernels in all modules.
        """
        most_accurate = (accuracy, -kept) > (self.highest_accuracy, -self.highest_kept)
        if most_accurate:
            self.highest_accuracy, self.highest_kept = accuracy, kept
        # Shares of counts that lie exactly the bound apart must not pass by a rounding error.
        near_enough = round(self.base_accuracy - accuracy, 9) < self.accuracy_loss
        accepted = near_enough and (self.best_kept < 0 or (kept, -accuracy) < (self.best_kept, -self.best_accuracy))
        if accepted:
            self.best_kept, self.best_accuracy = kept, accuracy
        return Verdict(accepted, most_accurate)
