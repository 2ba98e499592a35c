"""Parts of the simulated doctor; see ``robot_grader.py`` beside this folder."""
