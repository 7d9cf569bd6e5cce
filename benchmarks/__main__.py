"""`python -m benchmarks NAME [options]`: one figure, beside its ceiling, in one run."""

import sys

from benchmarks import compare, fanout, feedback, ingest, ladder, live, overtake, pages, peers, simulate, speakers, voice

NAMES = {
    "bulk": lambda argv: fanout.main("bulk", argv),
    "single": lambda argv: fanout.main("single", argv),
    "preempt": lambda argv: overtake.main("preempt", argv),
    "cancel": lambda argv: overtake.main("cancel", argv),
    "workers": lambda argv: compare.main("workers", argv),
    "growth": lambda argv: compare.main("growth", argv),
    "peers": peers.main,
    "simulate": simulate.main,
    "speakers": speakers.main,
    "receipts": lambda argv: feedback.main("receipts", argv),
    "acks": lambda argv: feedback.main("acks", argv),
    "ingest": ingest.main,
    "ladder": ladder.main,
    "voice": voice.main,
    "console": pages.main,
    "live": live.main,
}


def main() -> None:
    """Run the benchmark that is named."""
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        print(f"python -m benchmarks {' | '.join(NAMES)} [--help]", file=sys.stderr)
        raise SystemExit(2)
    NAMES[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    main()
