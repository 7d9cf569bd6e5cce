"""What a user would pick instead, to the same nginx: one POST of about 400 bytes a message, in this run.

    python -m benchmarks peers [--recipients N] [--json]

apprise (the newest, in a venv of its own under `build/peers`): `notify()` of 1,000 `json://` URLs, again and again, as its
documentation has it. Alertmanager (Debian's package, found on PATH; left out where there is none): one alert to one receiver
with a webhook for each message. Neither keeps anything. WarnHub: `single`, with its ledger, durable. The reach is 1.5 times the
best of them.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.fanout import measure
from benchmarks.report import parser, show, summed_up
from benchmarks.sink import Sink, free_port, sink_running, wait_open
from benchmarks.stage import CARRIERS, FOLDER
from warnhub.logs import set_up

GROUP = 1_000
VENVS = FOLDER.parent / "peers"
APPRISE = """
import sys, time, apprise
port, rounds, group = (int(one) for one in sys.argv[1:])
desk = apprise.Apprise()
for n in range(group):
    desk.add(f"json://127.0.0.1:{port}/{n}")
start = time.perf_counter()
for _ in range(rounds):
    assert desk.notify(title="暴雨红色预警", body="预计三小时内有大暴雨,请立即转移。" * 6)
print(apprise.__version__, rounds * group / (time.perf_counter() - start))
"""


def run_apprise(sink: Sink, messages: int) -> tuple[str, float]:
    """(version, messages a second)."""
    venv = VENVS / "apprise"
    if not (venv / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(venv / "bin" / "pip"), "install", "-q", "apprise"], check=True, stdout=subprocess.DEVNULL)
    command = [str(venv / "bin" / "python"), "-c", APPRISE, str(sink.port), str(max(1, messages // GROUP)), str(GROUP)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return said[0], float(said[1])


def run_alertmanager(sink: Sink, messages: int) -> tuple[str, float] | None:
    """The same; None where there is no such program. Its calls are counted by the sink's record."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        return None
    hooks = [{"url": f"{sink.url}/{n}", "send_resolved": False} for n in range(messages)]
    config = {
        "route": {"receiver": "all", "group_wait": "0s", "group_interval": "1h", "repeat_interval": "10h"},
        "receivers": [{"name": "all", "webhook_configs": hooks}],
    }
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "a.yml").write_text(json.dumps(config))
        listen = [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", f"--storage.path={name}"]
        child = subprocess.Popen([program, f"--config.file={name}/a.yml", *listen], stderr=subprocess.DEVNULL)
        try:
            wait_open(port, 60)
            time.sleep(2)
            body = json.dumps([{"labels": {"alertname": "rain"}, "annotations": {"text": "暴雨红色预警" * 20}}]).encode()
            asked = urllib.request.Request(f"http://127.0.0.1:{port}/api/v2/alerts", body, {"content-type": "application/json"})
            before = len(sink.calls())
            start = time.time()
            urllib.request.urlopen(asked).close()
            end = time.monotonic() + 60
            while len(sink.calls()) - before < messages and time.monotonic() < end:
                time.sleep(0.1)
            calls = sink.calls()[before:]
        finally:
            child.terminate()
            child.wait()
    said = (version.stdout + version.stderr).split()
    return said[2] if len(said) > 2 else "?", len(calls) / (calls[-1][0] - start) if calls else 0.0


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print."""
    asked = parser("peers", __doc__, recipients=10_000, store=False)
    given = asked.parse_args(argv)
    set_up("error")
    carrier = CARRIERS["single"]
    best, more = [], {}
    with sink_running(carrier.status, carrier.answer, keep=True) as sink:
        for name, run in (("apprise", run_apprise), ("alertmanager", run_alertmanager)):
            found = run(sink, min(given.recipients, 2_000 if name == "apprise" else given.recipients))
            if found is not None:
                more[name] = f"{found[0]}: {found[1]:.0f}/s"
                best.append(found[1])
    own = uvloop.run(measure("single", given.recipients, "sqlite", given.runs))
    result = summed_up("peers", "messages/s", [own["value"]], [max(best)], reach=1.5, recipients=given.recipients, **more)
    return show(result, given.json)
