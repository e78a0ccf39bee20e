"""Attention whose past is a state of fixed size, in time linear in length."""
