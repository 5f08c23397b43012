"""How hard Hypothesis looks: HYPOTHESIS_PROFILE is dev (the default), ci or deep."""

import os

from hypothesis import HealthCheck, settings

_SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=_SLOW_IS_FINE)
settings.register_profile(  # the same examples each time: a red run means a changed tree
    "ci", max_examples=200, deadline=None, suppress_health_check=_SLOW_IS_FINE, print_blob=True, derandomize=True
)
settings.register_profile(
    "deep", max_examples=2500, deadline=None, suppress_health_check=_SLOW_IS_FINE, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
