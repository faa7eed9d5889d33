"""What PyCUDA shares with PyOpenCL: names of types (`dtypes`) and shapes (`array`)."""
