"""Harmonizing videos: frame by frame, with arguments that are smoothed in time."""

from synthharm.harmonizer.video.harmonizing import harmonize_video
from synthharm.harmonizer.video.summary import VideoSummary

__all__ = ["VideoSummary", "harmonize_video"]
