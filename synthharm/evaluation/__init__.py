"""Scoring harmonization: pairs of composites and real images, methods, protocols, and the tables of them."""

from synthharm.evaluation.methods import Composite, Histogram, Lifted, Network, Oracle, Output, Reinhard
from synthharm.evaluation.pairs import Pair, Pairs, open_pairs
from synthharm.evaluation.perceptual import lpips_measure
from synthharm.evaluation.protocols import PROTOCOLS, Protocol, score
from synthharm.evaluation.run import evaluate
from synthharm.evaluation.summary import Evaluation

__all__ = [
    "PROTOCOLS",
    "Composite",
    "Evaluation",
    "Histogram",
    "Lifted",
    "Network",
    "Oracle",
    "Output",
    "Pair",
    "Pairs",
    "Protocol",
    "Reinhard",
    "evaluate",
    "lpips_measure",
    "open_pairs",
    "score",
]
