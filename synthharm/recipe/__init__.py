"""Recipes: what a dataset is made from and how, with every mistake reported at once and by its place."""

from synthharm.recipe.draws import ReferenceDraw
from synthharm.recipe.load import (
    AnyRecipe,
    as_recipe,
    check_recipe,
    load_recipe,
    parse_recipe,
    recipe_model,
    recipe_schema,
)
from synthharm.recipe.load_training import load_training_recipe, training_schema
from synthharm.recipe.recipe import IHarmony4Layout, Recipe
from synthharm.recipe.sources import Coco, Folder, HuggingFace, IHarmony4
from synthharm.recipe.splicing import SplicingRecipe
from synthharm.recipe.training import LiveStream, StoredStream, TrainingRecipe

__all__ = [
    "AnyRecipe",
    "Coco",
    "Folder",
    "HuggingFace",
    "IHarmony4",
    "IHarmony4Layout",
    "LiveStream",
    "Recipe",
    "ReferenceDraw",
    "SplicingRecipe",
    "StoredStream",
    "TrainingRecipe",
    "as_recipe",
    "check_recipe",
    "load_recipe",
    "load_training_recipe",
    "parse_recipe",
    "recipe_model",
    "recipe_schema",
    "training_schema",
]
