# make demo | make test | make lint | make weights | make bench
.DEFAULT_GOAL := help
SHELL := bash
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := $(BIN)/python
NPA := $(BIN)/napari-npa
READY := $(VENV)/.ready
# The version is that of the last tag: a new tag is a reason to install again.
TAGS := $(wildcard $(shell git rev-parse --git-common-dir 2>/dev/null)/refs/tags)

.PHONY: help demo test slow coverage lint dist bench screenshots weights simulate few crossval \
    compare compare-small start evidence clean

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(READY): pyproject.toml scripts/setup.sh $(TAGS)
	scripts/setup.sh $(VENV)
	touch $@

demo: $(READY)  ## Segment sample_data/ with the embedded weights and print the table
	$(NPA) segment sample_data/*[0-9].tif --output demo_output --probability
	@echo; cat demo_output/ischemia.csv; echo
	@echo "Masks, overlays and records are in $(CURDIR)/demo_output:"; ls demo_output

# A worker for each core; the tests of a file stay together, since they share what they make.
PYTEST := $(PY) -m pytest -n auto --dist loadfile

test: $(READY)  ## Run the whole test suite (sets up a virtual screen when missing)
	scripts/setup_screen.sh
	$(PYTEST) $(PYTEST_ARGS)

slow: $(READY)  ## Run the long tests
	scripts/setup_screen.sh
	$(PY) -m pytest -m slow -o faulthandler_timeout=3600

coverage: $(READY)  ## Run the whole test suite and show which lines and branches it takes
	scripts/setup_screen.sh
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=xml $(PYTEST_ARGS)

lint: $(READY)  ## Linters, type check, spelling, and the project's own files by their schemas
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/typos
	$(BIN)/validate-pyproject pyproject.toml
	$(PY) -m npe2 validate src/napari_npa/napari.yaml
	$(SCHEMA).github-workflows .github/workflows/*.yml
	$(SCHEMA).github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(SCHEMA).github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(SCHEMA).dependabot .github/dependabot.yml
	$(SCHEMA).citation-file-format CITATION.cff

SCHEMA := $(BIN)/check-jsonschema --quiet --builtin-schema vendor

dist: $(READY)  ## Build the source archive and the wheel, and try the wheel in a new environment
	rm -rf dist
	$(PY) -m build
	$(PY) -m twine check --strict dist/*
	scripts/check_wheel.sh dist/*.whl $(PY)

# A shown napari needs a screen; where there is none, a virtual one.
SCREEN := $(if $(DISPLAY),,xvfb-run -a -s "-screen 0 1600x1000x24")

bench: $(READY)  ## Benchmarks: print their tables
	scripts/setup_screen.sh
	$(SCREEN) $(PY) benchmarks/inference.py
	$(SCREEN) $(PY) benchmarks/correcting.py
	$(SCREEN) $(PY) benchmarks/first_correction.py

screenshots: $(READY)  ## Make the pictures of the docs
	scripts/setup_screen.sh
	$(SCREEN) $(PY) docs/make_screenshots.py

simulate: $(READY)  ## Simulate the angiograms that the embedded weights are trained on
	$(NPA) simulate --kind uwfa --count 250 --size 1024 --seed 1000 --output runs/sim_uwfa
	$(NPA) simulate --kind uwfa --count 500 --size 1024 --seed 10000 --output runs/sim_uwfa_more
	$(NPA) simulate --kind 55 --count 640 --size 512 --seed 5000 --output runs/sim_55
	$(NPA) simulate --kind uwfa --count 75 --size 2048 --seed 3000 --output runs/sim_tile
	$(NPA) simulate --kind uwfa --count 75 --size 2048 --seed 3100 --output runs/sim_tile_more

# Real images are not part of the repository: see docs/training.md for where they come from.
FFA55 ?= ../shared/data/ffa55
SIMULATED := --simulated runs/sim_uwfa --simulated runs/sim_55
REAL := --images $(FFA55)/labelled --masks $(FFA55)/labelled \
    --perfused $(FFA55)/normal --perfused $(FFA55)/diseased_perfused
# On a GPU an epoch, with its checkpoint and validation, may be long.
EPOCH := --steps-per-epoch 500
FINE := --start-from runs/simulated.safetensors --steps 1000 --learning-rate 5e-4 \
    --fine-tuned-share 0.9 $(EPOCH)
NOT_SEEN := --held-out 'sim_500[0-9]' --held-out 'sim_100[0-9]'
NOT_SEEN_RETINA := --held-out 'sim_100[0-9]' --held-out 'sim_300[0-4]'
LICENCE := BSD-3-Clause. Real images: 10.5281/zenodo.11212583 (Apache-2.0).

runs/simulated.safetensors: | simulate
	$(NPA) train --output $@ --run runs/simulated --resume $(SIMULATED) $(NOT_SEEN) \
	    $(EPOCH) --attribution "BSD-3-Clause. Simulated images only."

crossval: runs/simulated.safetensors  ## Score the recipe on patients it never saw, in five folds
	$(NPA) crossval --output runs/crossval $(REAL) $(SIMULATED) $(FINE)

weights: crossval  ## Train the embedded weights (a quarter of an hour on a large GPU)
	$(NPA) train --preset retina --output runs/retina_first.safetensors --run runs/retina_first \
	    --resume $(EPOCH) --simulated runs/sim_uwfa --simulated runs/sim_tile $(NOT_SEEN_RETINA)
	$(NPA) train --preset retina --output src/napari_npa/models/weights/retina.safetensors \
	    --run runs/retina --resume --start-from runs/retina_first.safetensors --steps 1000 \
	    --learning-rate 1e-3 --fine-tuned-share 0.5 --simulated runs/sim_uwfa \
	    --simulated runs/sim_uwfa_more --simulated runs/sim_tile $(NOT_SEEN_RETINA) \
	    --attribution "BSD-3-Clause. Simulated images only."
	$(NPA) train --output src/napari_npa/models/weights/whole.safetensors --run runs/whole --resume \
	    $(REAL) $(SIMULATED) $(FINE) $(NOT_SEEN) --crossval runs/crossval \
	    --threshold-uwfa 0.5 --attribution "$(LICENCE)"
	$(NPA) train --preset tile --output src/napari_npa/models/weights/tile.safetensors --run runs/tile \
	    --resume $(EPOCH) $(REAL) --simulated runs/sim_tile --simulated runs/sim_tile_more \
	    --held-out sim_3001 --held-out sim_3003 --held-out sim_3004 \
	    --attribution "$(LICENCE)"
	$(PY) docs/make_model_card.py

compare: $(READY)  ## Each encoder by the same steps without pre-training, in five folds
	for encoder in vgg16 resnet34 plain; do \
	    $(NPA) crossval --encoder $$encoder --output runs/compare/$$encoder \
	        $(REAL) $(SIMULATED) --steps 1000 --learning-rate 5e-4 $(EPOCH) || exit 1; \
	done

# On a processor: small views, and fewer images and steps.
SMALL := --view 256 --painted 4
FEW := --simulated runs/few_55
few: $(READY)
	$(NPA) simulate --kind 55 --count 200 --size 512 --seed 5000 --output runs/few_55

compare-small: few  ## Each encoder with the simulated start, small enough for a processor
	for encoder in plain vgg16 resnet34; do \
	    $(NPA) train --encoder $$encoder --output runs/compare_small/$$encoder.safetensors \
	        --run runs/compare_small/$$encoder.run --resume $(SMALL) --batch-size 4 $(FEW) \
	        --held-out 'sim_500[0-9]' --steps 800 --steps-per-epoch 200 && \
	    $(NPA) crossval --encoder $$encoder --output runs/compare_small/$$encoder $(REAL) $(FEW) \
	        $(SMALL) --batch-size 4 --steps 160 --fine-tuned-share 0.9 \
	        --start-from runs/compare_small/$$encoder.safetensors || exit 1; \
	done

# No simulated image while fine-tuning, so that the start alone makes the difference.
NARROW := --encoder narrow --batch-size 8 $(SMALL)
start: few  ## A small network with and without the simulated start, in five folds
	$(NPA) train --output runs/start/simulated.safetensors --run runs/start/run --resume $(NARROW) \
	    $(FEW) --held-out 'sim_500[0-9]' --steps 1000
	$(NPA) crossval --output runs/start/pretrained $(REAL) $(NARROW) --steps 250 \
	    --start-from runs/start/simulated.safetensors
	$(NPA) crossval --output runs/start/random $(REAL) $(NARROW) --steps 250

# UWFA: a folder of ultra-widefield angiograms, if you have one.
UWFA ?= ../shared/data/uwfa
evidence: $(READY)  ## Measure everything that docs/evidence.md says (after make weights)
	$(PY) docs/make_evidence.py --ffa55 $(FFA55) $(if $(wildcard $(UWFA)),--uwfa $(UWFA))

clean:  ## Remove what the targets above made
	rm -rf $(VENV) demo_output .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
