# WarnHub 预警叫应平台. `make help` lists what can be asked for.

ARGS ?=
WITHOUT ?=
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test stories check screenshots bench corpus fuzz install setup clean

help: ## 列出命令 / this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

demo: ## 演示:虚构县、模拟运营商、一次红色预警 / the main job on this machine; ARGS="--once --json" prints one line of JSON and ends
	@scripts/setup.sh run
	@exec .venv/bin/warnhub demo $(ARGS)

test: ## 检查与全部测试 / the checks and every test, on a real PostgreSQL, MQTT broker and Chromium; ARGS="tests/unit -k cap"
	@scripts/setup.sh test "$(WITHOUT)"
	@exec scripts/test.sh $(ARGS)

stories: ## 全部故事,单机与多机各一遍 / every story, embedded and scaled out on PostgreSQL and Kafka; `make test` plays some of the second
	@scripts/setup.sh test "chromium fonts"
	@PATH=$$PWD/.venv/bin:$$PATH:/usr/sbin:/usr/local/sbin exec pytest tests/story --every-story $(ARGS)

check: ## 静态检查 / lint, form, types, import contracts, drift of the published schemas
	@scripts/setup.sh test "postgresql mosquitto chromium fonts axe"
	@exec scripts/check.sh

screenshots: ## 每个页面的截图 / a picture of every page under build/screenshots; ARGS="now --lang zh --width 360"
	@scripts/setup.sh test "postgresql mosquitto axe"
	@exec .venv/bin/python tests/e2e/pictures.py $(ARGS)

bench: ## 测量 / how fast a warning fans out, beside the ceiling of the same run; ARGS="bulk --help", ARGS=voice
	@exec scripts/bench.sh $(ARGS)

corpus: ## 用公开预警语料核对解析 / verdict against expectation for a folder of public alerts, strictly; ARGS=folder
	@scripts/setup.sh run
	@exec .venv/bin/python scripts/corpus.py $(ARGS)

fuzz: ## 用十万份损坏的来文测试读入 / damaged documents at every reader: no traceback, none over a second, no more than 200 MB; ARGS="--inputs 1000 --seed 7"
	@scripts/setup.sh run
	@exec .venv/bin/python scripts/fuzz.py $(ARGS)

install: ## 只装运行所需 / .venv with what WarnHub needs to run
	@scripts/setup.sh run

setup: ## 只准备环境 / make this machine ready for `make test`, and nothing else
	@scripts/setup.sh test "$(WITHOUT)"

clean: ## 删除生成物 / remove what was generated, but not .venv
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
