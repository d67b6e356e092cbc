"""Pictures of the author's guide."""
