"""What builds the pages: runs their code, draws their figures, computes their tables."""
