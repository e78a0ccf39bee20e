"""Embeddings: from token ids, images and sound to vectors."""
