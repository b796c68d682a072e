"""The kinds of array that the whole package shares."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


Flags = npt.NDArray[np.bool_]


Rows = npt.NDArray[np.intp]
