.PHONY: setup demo test lint docs pictures

BIN ?= .venv/bin

setup:
	scripts/setup.sh dev
demo:
	scripts/demo.sh
test:
	scripts/test.sh
lint: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports
docs: setup
	$(BIN)/mkdocs build --strict
pictures: setup
	xvfb-run -a -s "-screen 0 1600x1000x24" $(BIN)/python docs/make_pictures.py
