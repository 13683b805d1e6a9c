"""The workshop: data, models, likelihoods, training, export."""
