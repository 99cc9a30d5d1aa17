"""Prepared corpus to model to translation."""
