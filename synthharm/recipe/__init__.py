"""Recipes: what a dataset is made from and how, with every mistake reported at once and by its place."""

from synthharm.recipe.draws import ReferenceDraw
from synthharm.recipe.load import as_recipe, check_recipe, load_recipe, recipe_schema
from synthharm.recipe.recipe import IHarmony4Layout, Recipe
from synthharm.recipe.sources import Coco, Folder, HuggingFace, IHarmony4

__all__ = [
    "Coco",
    "Folder",
    "HuggingFace",
    "IHarmony4",
    "IHarmony4Layout",
    "Recipe",
    "ReferenceDraw",
    "as_recipe",
    "check_recipe",
    "load_recipe",
    "recipe_schema",
]
