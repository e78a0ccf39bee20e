"""Recurrent mixers: linear attention with a state of fixed size, in time linear in length."""
