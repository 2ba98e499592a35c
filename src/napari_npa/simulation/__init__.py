"""Simulated angiograms with exact masks, for pre-training, tests and sample data."""

from napari_npa.simulation.eye import Kind, SimulatedAngiogram, simulate
from napari_npa.simulation.files import write_simulated
from napari_npa.simulation.many import simulate_many

__all__ = ["Kind", "SimulatedAngiogram", "simulate", "simulate_many", "write_simulated"]
