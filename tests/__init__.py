"""Tests of the update coordinator and of its container side."""
