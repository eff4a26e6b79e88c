"""Funnels: matchers compiled from definitions, attempts found in facts, where they stand, and how steps are counted."""
