"""Signals to a process that trains: the first lets it save, the second ends it at once."""

import signal
import subprocess

import pytest
from processes import ended, ready, start_python

from recipes.trainer.signals import Interrupt


@pytest.mark.fault(18)
def test_the_first_interrupt_is_noted_and_the_second_raises() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.exit_code == 130
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.fault(17, 46)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_are_noted(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_DFL)  # these tests may run under `nohup`
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(number)
    finally:
        signal.signal(number, before)
    assert interrupt.exit_code == 128 + number


@pytest.mark.fault(46)
def test_an_ignored_hang_up_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under `nohup`
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert interrupt.exit_code == 0


# The device never ends its work, and Python runs nothing of its own while it waits for it.
BUSY = """
from recipes.interrupts import answer_interrupts
answer_interrupts()
import contextlib, jax, sys
from recipes.trainer.signals import Interrupt
with Interrupt() if sys.argv[1] == "training" else contextlib.nullcontext():
    print("ready", flush=True)
    endless = jax.jit(lambda x: jax.lax.while_loop(lambda x: x >= 0, lambda x: x * 0, x))
    endless(1.0).block_until_ready()
"""


@pytest.mark.slow
@pytest.mark.fault(18, 45)
@pytest.mark.parametrize(
    ("where", "presses"),
    [pytest.param("elsewhere", 1, marks=pytest.mark.further), ("training", 2)],
)
def test_a_process_that_waits_for_a_device_ends_at_once(where: str, presses: int) -> None:
    process = ready(start_python(BUSY, where))
    for press in range(presses):
        if press:
            # As at a keyboard: two in the same instant are one to the system.
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=3)
        process.send_signal(signal.SIGINT)
    code, _, said = ended(process)
    assert code == 130
    assert said.endswith("Stopped at once.\n")
