"""A few thousand of the damaged documents of `make fuzz`, the same ones each time."""

import subprocess
import sys

from alertdocs import ROOT


def test_damaged_documents_get_their_verdicts() -> None:
    """Every reader is reached; none raises, takes a second of the processor, or grows by 200 MB."""
    script = ROOT / "scripts" / "fuzz.py"
    words = ("--inputs", "3000", "--seed", "20261124")
    done = subprocess.run([sys.executable, script, *words], capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    assert "3000 inputs, seed 20261124: each had its verdict" in done.stdout
