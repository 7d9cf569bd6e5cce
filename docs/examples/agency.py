"""Post an alert to a WarnHub desk and wait until people have decided: python agency.py FILE (Python 3, nothing installed).

WARNHUB_HUB is the desk's address, WARNHUB_KEY_FILE a file with the agency's key.
"""

import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request

HUB = os.environ.get("WARNHUB_HUB", "http://127.0.0.1:8080")
KEY = pathlib.Path(os.environ["WARNHUB_KEY_FILE"]).read_text("utf-8").strip()
TYPES = {".json": "application/json", ".xml": "application/xml", ".csv": "text/csv", ".zip": "application/zip"}


def call(path: str, body: bytes | None = None, media: str = "") -> dict:
    """GET, or POST a body; until it is answered, for the same alert twice is told once."""
    headers = {"Authorization": f"Bearer {KEY}"} | ({"Content-Type": media} if media else {})
    for attempt in range(5):
        try:
            with urllib.request.urlopen(urllib.request.Request(HUB + path, body, headers), timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code < 500:
                sys.exit("refused: " + "; ".join(f"{e['path']} {e['rule']} {e['message']}" for e in json.load(error)["errors"]))
        except OSError as error:
            print(f"not reached ({error}), trying again", file=sys.stderr)
        time.sleep(2**attempt)
    sys.exit("not reached")


if __name__ == "__main__":
    file = pathlib.Path(sys.argv[1])
    taken = call("/v1/alerts", file.read_bytes(), TYPES.get(file.suffix, "application/json"))
    print(taken["id"], taken["state"], *taken["reasons"])
    while taken["state"] in ("pending", "held") and call(taken["links"]["warning"])["state"] == "pending":
        time.sleep(5)
