"""Transform files in napari: opened as layers, written from layers."""
