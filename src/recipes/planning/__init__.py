"""Planning of a training without its hardware: memory, work, network and time of one step."""
