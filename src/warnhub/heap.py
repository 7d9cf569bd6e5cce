"""What a process has loaded by the time it serves stays as long as it does: the collector need not walk it again."""

import gc


def freeze_heap() -> None:
    """Put everything that is there now out of the collector's sight. To be called once, when a process is ready.

    A full collection walks some hundred thousand objects of the libraries', 150 ms in which no call is made and nobody is
    answered; without them it is a tenth of that.
    """
    gc.collect()
    gc.freeze()
