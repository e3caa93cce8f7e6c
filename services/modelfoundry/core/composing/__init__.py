"""Classifiers composed of outputs of modules and models (GradSplitter, Qi et al., TOSEM 2025, sections 3.4 to 4)."""

from modelfoundry.core.composing.calibration import UNCALIBRATED, Calibration, fit_calibration
from modelfoundry.core.composing.ensemble import ensemble_probabilities
from modelfoundry.core.composing.network import ComposedNetwork, Member, NormalisedNetwork, compose_network
from modelfoundry.core.composing.patching import replace_where_nothing_suffers, weak_labels
from modelfoundry.core.composing.readout import Readout, log_odds, readout_of
from modelfoundry.core.composing.scoring import DEFAULT_SCORE, SCORES, check_score, one_vs_rest
from modelfoundry.core.composing.strategies import DEFAULT_STRATEGY, STRATEGIES, joint, per_label
from modelfoundry.core.composing.table import Candidate, ScoredCandidate, ScoreTable, Selection, score_candidates

__all__ = [
    "DEFAULT_SCORE",
    "DEFAULT_STRATEGY",
    "SCORES",
    "STRATEGIES",
    "UNCALIBRATED",
    "Calibration",
    "Candidate",
    "ComposedNetwork",
    "Member",
    "NormalisedNetwork",
    "Readout",
    "ScoreTable",
    "ScoredCandidate",
    "Selection",
    "check_score",
    "compose_network",
    "ensemble_probabilities",
    "fit_calibration",
    "joint",
    "log_odds",
    "one_vs_rest",
    "per_label",
    "readout_of",
    "replace_where_nothing_suffers",
    "score_candidates",
    "weak_labels",
]
