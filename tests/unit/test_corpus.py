"""Every real message of the shared corpus gets a verdict that fits what is known of it, and the contracts are in step."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from alertdocs import EXAMPLES, ROOT, SHARED
from lxml import etree

from warnhub.alert import Level
from warnhub.ingest.check import check_files

CORPUS = SHARED / "data" / "cap_corpus"
SAMPLES = SHARED / "data" / "zh_samples"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the shared corpus is not here")


def run(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A script of the project, in its own process."""
    return subprocess.run([sys.executable, ROOT / "scripts" / script, *words], capture_output=True, text=True, timeout=120)


@needs_corpus
def test_the_verdicts_agree_or_differ_for_a_stated_reason() -> None:
    """Strictly counted; what differs is listed one by one, and each reason stands in the decision."""
    done = run("corpus.py")
    assert done.returncode == 0, done.stdout
    found = re.search(r"(\d+) of (\d+) agree .* (\d+) differ for a stated reason, 0 without", done.stdout)
    assert found, done.stdout
    agreed, every, stated = map(int, found.groups())
    assert agreed + stated == every >= 177
    assert stated <= 24
    reasons = set(re.findall(r"\(reason (\d+)\)", done.stdout))
    written = set(re.findall(r"(?m)^(\d+)\. \*\*", (ROOT / "docs" / "decisions" / "0033-corpus.md").read_text("utf-8")))
    assert reasons == written
    assert "WRONG" not in done.stdout
    assert "ends all it names" in done.stdout


def test_without_the_corpus_the_script_says_so(tmp_path: Path) -> None:
    done = run("corpus.py", str(tmp_path))
    assert done.returncode == 0
    assert "skipped" in done.stdout


@needs_corpus
def test_every_other_file_gets_a_verdict_too() -> None:
    files = [path for folder in (CORPUS, SAMPLES) for path in folder.rglob("*") if path.is_file()]
    lines = list(check_files(files))
    assert {line["file"] for line in lines} == {str(path) for path in files}
    assert all(line["problems"] for line in lines if line["verdict"] != "accept")


@needs_corpus
def test_real_national_messages_are_taken() -> None:
    lines = list(check_files(sorted(SAMPLES.glob("cap_*.xml"))))
    assert [line["verdict"] for line in lines] == ["accept", "accept"]
    assert {line["alert"]["level"] for line in lines} == {Level.BLUE.value}


@needs_corpus
def test_our_cap_example_is_valid_by_the_standards_schema() -> None:
    schema = etree.XMLSchema(etree.parse(CORPUS / "schema" / "CAP-v1.2.xsd"))
    assert schema.validate(etree.parse(EXAMPLES / "cap.xml")), schema.error_log


def test_the_published_contracts_are_in_step() -> None:
    done = run("contracts.py", "--check")
    assert done.returncode == 0, done.stdout
