"""The enlargement in front of SRCNN and VDSR, against the dense matrices."""

import numpy as np
import pytest
import torch

from rounding import dot_bound
from subpixel.imaging.resample import bicubic_matrix
from subpixel.nets.layers.bicubic import BicubicEnlargement


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 5, 7)])
def test_it_is_the_bicubic_of_resample(scale: int, shape: tuple[int, int, int, int]) -> None:
    picture = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    rows, columns = (torch.from_numpy(bicubic_matrix(side, scale)) for side in shape[-2:])
    expected = rows @ picture.double() @ columns.T
    found = BicubicEnlargement(scale)(picture)
    # five weights each way, of which the sizes sum to less than 1.5, and they are rounded, too
    within = dot_bound(2 * (5 + 1), 1.5**2)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=0, atol=within)
