"""The libraries on whose versions a result's bits depend."""

LIBRARIES = ("torch", "torchvision", "torchattacks", "numpy", "pillow", "zarr", "xarray", "dask")
