"""Published architectures: one file per family, a configuration in and a model out."""
