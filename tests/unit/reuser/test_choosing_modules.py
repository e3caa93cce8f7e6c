"""Which module, or model to make one from, is taken for a label, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.reuser.on_demand.choosing import broken, check_known, choose, choose_together, unmeasured
from modelfoundry.reuser.on_demand.offers import Accuracy, Constraints, LabelOffers, ModelOffer, ModuleOffer
from modelfoundry.values.on_demand import ModuleOrigin

SMALL, LARGE = (1, 8, 8), (3, 32, 32)
NOTHING = Constraints()


def module(name: str, accuracy: float | None = 0.9, samples: int = 100, **facts: Any) -> ModuleOffer:
    given = {
        "size_bytes": 1000,
        "latency_ms": None,
        "macs": 1.0,
        "latency": 1.0,
        "license": "MIT",
        "model": "base",
        "dataset": "pets",
        "architecture": "zoo:simcnn",
        "algorithm": "seam",
        "shape": SMALL,
        **facts,
    }
    measured = None if accuracy is None else Accuracy(accuracy, samples)
    return ModuleOffer(name=name, label="cat", accuracy=measured, **given)


def model(name: str, accuracy: float | None = 0.9, samples: int = 100, **facts: Any) -> ModelOffer:
    given = {
        "size_bytes": 50_000,
        "license": "MIT",
        "architecture": "zoo:simcnn",
        "dataset": "pets",
        "shape": SMALL,
        **facts,
    }
    measured = None if accuracy is None else Accuracy(accuracy, samples)
    return ModelOffer(name=name, label="cat", accuracy=measured, **given)


def offers(*modules: ModuleOffer, models: tuple[ModelOffer, ...] = (), label: str = "cat") -> LabelOffers:
    return LabelOffers(label=label, modules=modules, models=models)


def test_the_surest_module_is_taken_and_not_the_one_with_a_lucky_handful_of_samples() -> None:
    choice = choose(offers(module("lucky", 1.0, samples=5), module("tested", 0.95, samples=1000)), NOTHING)

    assert (choice.origin, choice.offer.name, choice.alternatives) == (ModuleOrigin.REGISTERED, "tested", 1)
    assert "the surest of 2 registered modules of 'cat'" in choice.reason
    assert "validation accuracy 95.0 % on 1,000 samples, optimistic (lower bound 93.5 %)" in choice.reason
    assert "next is lucky with validation accuracy 100.0 % on 5 samples" in choice.reason


def test_of_equally_sure_modules_the_smaller_is_taken_then_the_first_by_name() -> None:
    choice = choose(offers(module("c", size_bytes=90), module("b", size_bytes=80), module("a", size_bytes=90)), NOTHING)
    assert choice.offer.name == "b"
    assert "of these the smallest" in choice.reason

    assert choose(offers(module("b"), module("a")), NOTHING).offer.name == "a"


def test_a_module_whose_accuracy_is_not_on_record_comes_last() -> None:
    assert choose(offers(module("unknown", None), module("bad", 0.1)), NOTHING).offer.name == "bad"
    assert choose(offers(module("unknown", None)), NOTHING).offer.name == "unknown"


@pytest.mark.parametrize(
    ("constraints", "taken"),
    [
        (Constraints(min_accuracy=0.9), "good"),
        (Constraints(max_bytes=500), "small"),
        (Constraints(max_latency_ms=1.0), "quick"),
        (Constraints(license="apache-2.0"), "apache"),
        (Constraints(dataset="other"), "elsewhere"),
        (Constraints(architecture="zoo:resnet20"), "deep"),
        (Constraints(algorithm="gradsplitter"), "split"),
        (Constraints(max_macs=0.5), "cut"),
        (Constraints(max_latency=0.5), "fast"),
        (Constraints(min_accuracy_of_base=True), "faithful"),
    ],
)
def test_only_modules_that_satisfy_a_constraint_are_taken(constraints: Constraints, taken: str) -> None:
    everything = offers(
        module("good", 0.95, latency_ms=9.0),
        module("small", 0.7, size_bytes=500, latency_ms=9.0),
        module("quick", 0.7, latency_ms=1.0),
        module("apache", 0.7, license="Apache-2.0", latency_ms=9.0),
        module("elsewhere", 0.7, dataset="other", latency_ms=9.0),
        module("deep", 0.7, architecture="zoo:resnet20", latency_ms=9.0),
        module("split", 0.7, algorithm="gradsplitter", latency_ms=9.0),
        module("cut", 0.7, macs=0.5, latency_ms=9.0),
        module("fast", 0.7, latency=0.5, latency_ms=9.0),
        module("faithful", 0.7, base_accuracy=0.704, latency_ms=9.0),
        models=(model("base"),),
    )
    choice = choose(everything, constraints)
    assert (choice.origin, choice.offer.name) == (ModuleOrigin.REGISTERED, taken)
    assert "the only registered module of 'cat' that satisfies the constraints" in choice.reason


def test_what_is_missing_is_made_from_the_surest_model_that_has_data() -> None:
    models = (model("dataless", 0.99, dataset=""), model("untested", None), model("best", 0.9), model("worse", 0.8))
    choice = choose(offers(models=models), NOTHING)

    assert (choice.origin, choice.offer.name) == (ModuleOrigin.TO_BE_MADE, "best")
    assert "no module of 'cat' is registered; it is made from best, the surest of 3 models" in choice.reason


def test_a_module_that_is_not_good_enough_is_named_where_another_is_made() -> None:
    choice = choose(offers(module("weak", 0.8), models=(model("base"),)), Constraints(min_accuracy=0.9))

    assert choice.origin is ModuleOrigin.TO_BE_MADE
    assert "no registered module of 'cat' satisfies the constraints" in choice.reason
    assert "the nearest of 1, weak, misses min_accuracy: validation accuracy 80.0 %" in choice.reason


@pytest.mark.parametrize(
    "constraints", [Constraints(license="MIT"), Constraints(architecture="zoo:simcnn"), Constraints(dataset="pets")]
)
def test_modules_are_made_from_models_that_satisfy_the_constraints_only(constraints: Constraints) -> None:
    unfit = model("a-best", 0.99, license="GPL-3.0", architecture="zoo:resnet20", dataset="other")
    assert choose(offers(models=(unfit, model("fit", 0.5))), constraints).offer.name == "fit"


def test_modules_that_were_never_timed_are_measured_the_surest_first() -> None:
    everything = offers(
        module("slow", 0.99, latency_ms=9.0), module("b", 0.8), module("a", 0.9), models=(model("base"),)
    )
    choice = choose(everything, Constraints(max_latency_ms=5.0))

    assert (choice.origin, choice.to_be_measured) == (ModuleOrigin.TO_BE_MEASURED, ("a", "b"))
    assert choice.fallback is not None
    assert choice.fallback.name == "base"
    timed = offers(*everything.modules, module("quick", 0.1, latency_ms=4.0), models=everything.models)
    assert choose(timed, Constraints(max_latency_ms=5.0)).offer.name == "quick"


def test_constraints_that_nothing_satisfies_are_told_with_what_to_relax() -> None:
    everything = offers(module("cat-gpl", 0.95, license="GPL-3.0"), module("cat-mit", 0.7))
    with pytest.raises(errors.ConstraintUnmet) as caught:
        choose(everything, Constraints(min_accuracy=0.9, license="MIT"))

    assert {violation.field for violation in caught.value.violations} == {
        "constraints.min_accuracy",
        "constraints.license",
    }
    assert caught.value.hint == "relax min_accuracy or license"
    assert caught.value.metadata == {"module": "cat-gpl"}
    assert "misses license" in caught.value.message


def test_a_label_without_data_for_its_models_says_so() -> None:
    with pytest.raises(errors.ConstraintUnmet, match="no registered data set has its label and image size for base"):
        choose(offers(models=(model("base", dataset=""),)), NOTHING)


def test_modules_to_be_joined_are_taken_for_the_image_size_that_all_labels_have() -> None:
    cat = offers(module("cat-large", 0.99, shape=LARGE), module("cat-small", 0.7))
    dog = offers(module("dog-small", 0.9), label="dog")
    choices = choose_together([cat, dog], NOTHING)

    assert [choice.offer.name for choice in choices] == ["cat-small", "dog-small"]
    assert "for images of 1x8x8, the size that the labels have in common" in choices[0].reason
    assert choose(cat, NOTHING).offer.name == "cat-large"


def test_of_two_common_image_sizes_the_one_with_the_fewest_modules_to_be_made_is_taken() -> None:
    large = model("base", shape=LARGE)
    cat = offers(module("cat-small", 0.99), module("cat-large", 0.7, shape=LARGE), models=(large,))
    dog = offers(module("dog-large", 0.6, shape=LARGE), models=(model("base-small"),), label="dog")
    assert [choice.offer.name for choice in choose_together([cat, dog], NOTHING)] == ["cat-large", "dog-large"]


def test_labels_without_a_common_image_size_cannot_be_joined() -> None:
    with pytest.raises(errors.InvalidField, match="'cat': 3x32x32; 'dog': 1x8x8") as caught:
        choose_together([offers(module("a", shape=LARGE)), offers(module("b"), label="dog")], NOTHING)
    assert caught.value.field == "compose"


@pytest.mark.parametrize(
    ("constraints", "field", "hint"),
    [
        (Constraints(architecture="zoo:simcn"), "constraints.architecture", "did you mean zoo:simcnn?"),
        (Constraints(license="BSD"), "constraints.license", "there is MIT"),
        (Constraints(algorithm="semm"), "constraints.algorithm", "did you mean seam?"),
    ],
)
def test_a_constraint_on_what_nothing_has_is_refused_with_what_there_is(
    constraints: Constraints, field: str, hint: str
) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        check_known([offers(module("a"), models=(model("base"),))], constraints)
    assert (caught.value.field, caught.value.hint) == (field, hint)


def test_a_licence_is_compared_without_case() -> None:
    check_known([offers(module("a"))], Constraints(license="mit"))
    assert choose(offers(module("a")), Constraints(license="mit")).offer.name == "a"


@pytest.mark.parametrize("constraints", [Constraints(max_macs=0.5), Constraints(max_latency=0.5)])
def test_a_module_whose_share_of_the_base_is_unknown_is_measured_first(constraints: Constraints) -> None:
    unknown = module("unknown", macs=None, latency=None)
    choice = choose(offers(unknown, module("masked"), models=(model("base"),)), constraints)
    assert (choice.origin, choice.to_be_measured) == (ModuleOrigin.TO_BE_MEASURED, ("unknown",))
    assert unmeasured(unknown, constraints) == constraints.given
    assert not unmeasured(module("masked"), constraints)


def test_masked_modules_are_too_large_for_budgets_and_something_is_made() -> None:
    choice = choose(offers(module("masked"), models=(model("base"),)), Constraints(max_macs=0.2))
    assert choice.origin is ModuleOrigin.TO_BE_MADE
    assert "masked, misses max_macs" in choice.reason
    assert "100.0% of the base's multiply-accumulates" in choice.reason


def test_a_module_below_its_base_by_less_than_a_sample_is_level_with_it() -> None:
    assert not broken(module("level", 0.9, base_accuracy=0.9000001), Constraints(min_accuracy_of_base=True))
    assert broken(module("below", 0.9, base_accuracy=0.91), Constraints(min_accuracy_of_base=True))
    assert broken(module("unknown", None, base_accuracy=0.5), Constraints(min_accuracy_of_base=True))


def test_a_module_that_may_be_no_better_than_chance_is_taken_with_that_said() -> None:
    choice = choose(offers(module("poor", 2 / 12, samples=12)), NOTHING)
    assert choice.offer.name == "poor"
    assert "; doubtful: no better than chance: 16.7 % on 12 samples" in choice.reason
    assert "doubtful" not in choose(offers(module("good", 0.95, samples=1000)), NOTHING).reason
