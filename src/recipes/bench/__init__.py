"""What a model costs on this machine, measured: a start, training, prefill and decoding."""
