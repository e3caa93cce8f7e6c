"""Measuring models and modules on labelled images: all labels, or one target problem with the baselines of its base.

A base model on a target problem is measured in three ways (the first is that of SeaM, Qi et al., ICSE 2023):

    all labels    the prediction is the largest of all N outputs. Binary: right when "is it the label?" is answered
                  right. Multi-class: a prediction outside of the problem's labels is an error, so this one is low.
                  Open-set: such a prediction means `rest`.
    restricted    the prediction is the largest of the outputs for the problem's labels: the fair baseline. For a binary
                  and an open-set problem the same as above, because `rest` is all other labels.
    at the prior  for problems with a rest: the labels when their log-odds against all others exceed minus the logarithm
                  of the odds of the rest. A problem is posed half and half, the base answers for one label in N; this
                  is the base's best answer that looks at no data.

Every network runs once over a whole split; all figures are computed from these logits.
"""

from modelfoundry.core.evaluation.answers import (
    Answers,
    BaseAnswers,
    base_answers,
    model_answers,
    own_answers,
    prior_threshold,
)
from modelfoundry.core.evaluation.comparing import against_base, base_discrimination, discrimination, posed_figures
from modelfoundry.core.evaluation.models import (
    Run,
    base_accuracy,
    evaluate_model,
    split_logits,
    unrestricted_predictions,
)
from modelfoundry.core.evaluation.posing import PosedSplit, pose, pose_labels, pose_split

__all__ = [
    "Answers",
    "BaseAnswers",
    "PosedSplit",
    "Run",
    "against_base",
    "base_accuracy",
    "base_answers",
    "base_discrimination",
    "discrimination",
    "evaluate_model",
    "model_answers",
    "own_answers",
    "pose",
    "pose_labels",
    "pose_split",
    "posed_figures",
    "prior_threshold",
    "split_logits",
    "unrestricted_predictions",
]
