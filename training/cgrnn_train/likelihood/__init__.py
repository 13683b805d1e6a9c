"""Likelihood estimators, one method a file."""
