"""``python -m napari_npa``: the command line, where its script is not on the path."""

from napari_npa.cli.main import main

if __name__ == "__main__":
    main()
