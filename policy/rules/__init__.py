"""Registry of the policy rules: one module per rule, listed here."""

from __future__ import annotations

from policy.engine import RuleSet
from policy.rules.known_component import KnownComponent
from policy.rules.request_complete import RequestComplete
from policy.rules.version_well_formed import VersionWellFormed

RULES = RuleSet(
    form=(KnownComponent(), RequestComplete(), VersionWellFormed()),
    permission=(),
)
