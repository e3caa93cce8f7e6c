"""Recipes survive the way to protobuf and back, with what is unset."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wire_values import over_the_wire, real, small, subsets, text

from modelfoundry.values.recipes import (
    Augmentation,
    GradSplitterRecipe,
    InitialMasks,
    Precision,
    SeamRecipe,
    TrainingRecipe,
)
from modelfoundry.wire import recipes


@given(
    st.builds(
        SeamRecipe,
        recipe=text,
        initial_masks=st.none() | st.sampled_from(InitialMasks),
        epochs=st.none() | small,
        head_epoch_every=st.none() | small,
        batch_size=st.none() | small,
        lr_head=st.none() | real,
        lr_mask=st.none() | real,
        alpha=st.none() | real,
        patience=st.none() | small,
        augmentation=st.none() | st.sampled_from(Augmentation),
        precision=st.none() | st.sampled_from(Precision),
    )
)
def test_recipes_keep_what_is_unset(recipe: SeamRecipe) -> None:
    assert recipes.SEAM_RECIPE.from_proto(over_the_wire(recipes.SEAM_RECIPE.to_proto(recipe))) == recipe


@given(
    st.builds(
        GradSplitterRecipe,
        recipe=text,
        **dict.fromkeys(("warmup_epochs", "cycles", "mask_epochs", "head_epochs"), st.none() | small),
        **dict.fromkeys(("batch_size", "head_width", "steps"), st.none() | small),
        **dict.fromkeys(("lr_warmup", "lr_head", "lr_mask", "alpha", "accuracy_loss"), st.none() | real),
        **dict.fromkeys(("retention", "lr_norm", "temperature", "shared"), st.none() | real),
        augmentation=st.none() | st.sampled_from(Augmentation),
        precision=st.none() | st.sampled_from(Precision),
    )
)
def test_recipes_of_gradsplitter_keep_what_is_unset(recipe: GradSplitterRecipe) -> None:
    message = over_the_wire(recipes.GRADSPLITTER_RECIPE.to_proto(recipe))
    assert recipes.GRADSPLITTER_RECIPE.from_proto(message) == recipe


@given(
    st.builds(
        TrainingRecipe,
        recipe=text,
        epochs=st.none() | small,
        batch_size=st.none() | small,
        lr=st.none() | real,
        momentum=st.none() | real,
        weight_decay=st.none() | real,
        milestones=st.lists(small, max_size=3).map(tuple),
        augmentation=st.none() | st.sampled_from(Augmentation),
        subset=st.none() | subsets,
    )
)
def test_recipes_of_training_keep_what_is_unset(recipe: TrainingRecipe) -> None:
    assert recipes.TRAINING_RECIPE.from_proto(over_the_wire(recipes.TRAINING_RECIPE.to_proto(recipe))) == recipe
