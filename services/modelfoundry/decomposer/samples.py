"""How much there is to choose on, said before the work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelfoundry.core.datasets import ImageSet
from modelfoundry.names import shortened
from modelfoundry.values.doubts import LEAST_SAMPLES
from modelfoundry.values.problems import MultiClassProblem, Problem, resolve


def few_validation_samples(problems: Sequence[Problem], labels: Sequence[str], validation: ImageSet) -> Iterator[str]:
    """A remark for every problem that is chosen on few samples.

    Args:
        problems: What modules are searched for.
        labels: Of the model, in the order of its outputs.
        validation: What is chosen on, with label numbers of the model.
    """
    counts = validation.labels.bincount(minlength=len(labels)).tolist()
    for problem in problems:
        own = sum(counts[place] for place in resolve(problem, labels))
        has_rest = not isinstance(problem, MultiClassProblem)
        samples = own + min(own, sum(counts) - own) if has_rest else own
        if samples < LEAST_SAMPLES:
            yield (
                f"{problem_name(problem)}: chosen on {samples} validation samples, too few to tell a good module from "
                f"a bad one; {LEAST_SAMPLES} or more are needed: raise the validation fraction, or name a calibration "
                "split"
            )


def problem_name(problem: Problem) -> str:
    """The labels of a problem, short."""
    return shortened(", ".join(problem.labels))
