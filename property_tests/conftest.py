"""Hypothesis profiles: HYPOTHESIS_PROFILE is dev (the default), ci or deep."""

import os

from hypothesis import HealthCheck, settings

_ALLOWED_CHECKS = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=_ALLOWED_CHECKS)
settings.register_profile(  # derandomized: a failing run means that the tree changed
    "ci", max_examples=200, deadline=None, suppress_health_check=_ALLOWED_CHECKS, print_blob=True, derandomize=True
)
settings.register_profile(
    "deep", max_examples=2500, deadline=None, suppress_health_check=_ALLOWED_CHECKS, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
