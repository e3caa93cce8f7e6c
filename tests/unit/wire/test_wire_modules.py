"""Modules, their forms and evaluations survive the way to protobuf and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wire_values import (
    base_comparisons,
    blobs,
    classifications,
    costs,
    discriminations,
    environments,
    form_costs,
    modularities,
    names,
    over_the_wire,
    problems,
    real,
    records,
    retentions,
    text,
    whole,
    written,
)

from modelfoundry.values.figures import FormComparison
from modelfoundry.values.resources import Evaluation, Module, Scoring
from modelfoundry.wire import figures, modules


@given(
    st.builds(
        FormComparison,
        original=form_costs,
        masked=form_costs,
        compacted=form_costs,
        max_difference=real,
        held_layers=names,
        environment=environments,
        operation=text,
    )
)
def test_forms(forms: FormComparison) -> None:
    assert figures.forms_from_proto(over_the_wire(figures.forms_to_proto(forms))) == forms


@given(
    st.builds(
        Module,
        base_model=text,
        problem=problems,
        artifact=blobs,
        dataset=text,
        record=records,
        retention=st.none() | retentions,
        **written,
    )
)
def test_modules(module: Module) -> None:
    assert modules.module_from_proto(over_the_wire(modules.module_to_request(module))) == module


@given(
    st.builds(
        Evaluation,
        subject=text,
        subject_digest=text,
        dataset=text,
        dataset_digest=text,
        split=text,
        scoring=st.sampled_from(Scoring),
        module=text,
        problem=st.none() | problems,
        sample_count=whole,
        classification=st.none() | classifications,
        discrimination=st.none() | discriminations,
        against_base=st.none() | base_comparisons,
        retention=st.none() | retentions,
        cost=st.none() | costs,
        modularity=st.none() | modularities,
        operation=text,
        environment=environments,
    )
)
def test_evaluations(evaluation: Evaluation) -> None:
    assert modules.evaluation_from_proto(over_the_wire(modules.evaluation_to_request(evaluation))) == evaluation
