"""From an angiogram to probability, gradable retina and non-perfusion."""
