"""Training: a Harmonizer learns from composites whose true answer is known."""

from synthharm.training.losses import batch_loss, region_losses, weigh
from synthharm.training.run import Training, train
from synthharm.training.validating import validate

__all__ = ["Training", "batch_loss", "region_losses", "train", "validate", "weigh"]
