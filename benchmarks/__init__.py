"""Figures: how fast, how far, how well, against what others reach."""
