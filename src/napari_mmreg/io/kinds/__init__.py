"""The kinds of files that transforms are read from and written to, a module each.

A module here is found and imported by itself; it calls
`napari_mmreg.geometry.files.register_file_kind`.
"""
