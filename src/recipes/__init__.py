"""Recipes that assemble blocks into models, train them and sample from them."""
