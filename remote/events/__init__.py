"""WHAT happened? Typed event and answer bodies, their numbers, and the bus that delivers them."""
