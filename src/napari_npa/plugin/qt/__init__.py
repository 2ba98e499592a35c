"""What all panels share and no layer needs: jobs, the GUI thread, the base class."""
