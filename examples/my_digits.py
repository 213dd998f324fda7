"""Six hundred handwritten digits as an archive of images and classes, `digits.npz`."""

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
np.savez("digits.npz", X=digits.images[:600].astype("uint8"), y=digits.target[:600])
