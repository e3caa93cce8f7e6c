"""Which epoch of a search is taken, and when the search stops (SeaM, Qi et al., ICSE 2023).

The rule is that of the published code, with one deviation: the figures come from validation data, never from test data.
"""

from __future__ import annotations

from dataclasses import dataclass

from modelfoundry.decomposer.algorithms.epochs import Verdict


@dataclass(slots=True)
class Selection:
    """The rule's memory. In words: the smallest module whose accuracy is at least the base's; retention is compared in
    steps of a thousandth, ties go to the more accurate. When nothing is ever accepted, the epoch with the highest
    accuracy minus retention is taken.
    """

    base_accuracy: float
    """Accuracy of the untouched base on the target problem, in [0, 1]."""
    total: int
    """Number of mask entries."""
    patience: int
    """Epochs below the base's accuracy until the stop, counted once it was reached. 0: never stop."""
    best_kept: int = -1
    """Kept entries of the accepted epoch; -1 stands for the start, everything."""
    best_accuracy: float = 0.0
    best_compromise: float = -2.0
    """Below what any epoch can have."""
    reached: bool = False
    waited: int = 0

    def observe(self, accuracy: float, kept: int) -> Verdict:
        """Takes notice of an epoch.

        Args:
            accuracy: On validation data, in [0, 1].
            kept: Number of kept mask entries.
        """
        compromise = accuracy - kept / self.total
        best_compromise = compromise > self.best_compromise
        if best_compromise:
            self.best_compromise = compromise
        accepted = False
        if accuracy >= self.base_accuracy:
            self.reached = True
            accepted = self._accepts(accuracy, kept)
        elif self.reached:
            self.waited += 1
        return Verdict(accepted, best_compromise, stop=self.patience > 0 and self.waited >= self.patience)

    def _accepts(self, accuracy: float, kept: int) -> bool:
        best_kept = self.total if self.best_kept < 0 else self.best_kept
        if self._thousandths(kept) < self._thousandths(best_kept):
            self.waited = 0
        elif kept > best_kept or accuracy <= self.best_accuracy:
            return False
        self.best_kept = kept
        self.best_accuracy = accuracy
        return True

    def _thousandths(self, kept: int) -> int:
        return 1000 * kept // self.total
