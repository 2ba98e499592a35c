"""Simulated angiograms with exact masks, for pre-training, tests and sample data."""

from napari_npa.simulate.eye import Kind, SimulatedAngiogram, simulate
from napari_npa.simulate.files import write_simulated
from napari_npa.simulate.many import simulate_many

__all__ = ["Kind", "SimulatedAngiogram", "simulate", "simulate_many", "write_simulated"]
