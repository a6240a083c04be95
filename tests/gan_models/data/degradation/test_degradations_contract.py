"""Contract of every row of the degradations, and of a user's own function."""

import numpy as np
import pytest
from ganprune.gan_models.data.degradation.catalog import DEGRADATIONS
from ganprune.gan_models.data.degradation.degradation import degraded
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.plain_values import from_json, to_json

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 72, 3), np.uint8)
OWN = f"{__file__}:fog"


def fog(pixels, scale, random):
    """Fog of a drawn density."""
    density = random.uniform(0.3, 0.5)
    return (1 - density) * pixels[::scale, ::scale] + density * 255


def misshapen(pixels, scale, random):
    """The high side itself."""
    return pixels


@pytest.mark.parametrize("name", [*DEGRADATIONS, OWN])
class TestEveryDegradation:
    @pytest.mark.parametrize("scale", [1, 2, 4])
    def test_it_is_a_function_of_picture_scale_and_seed(self, name, scale):
        """8 bits of the low side's size, the same each time; the picture stays as it was."""
        given, degradation = PICTURE.copy(), DEGRADATIONS.find(name).build(name, {})
        first, again = degraded(degradation, given, scale, 7), degraded(degradation, given, scale, 7)
        assert first.shape == (48 // scale, 72 // scale, 3)
        assert first.dtype == np.uint8
        assert np.array_equal(first, again)
        assert np.array_equal(given, PICTURE)

    def test_at_scale_one_it_changes_pictures_unless_its_row_says_otherwise(self, name):
        """A degradation that needs a scale is refused without one."""
        row = DEGRADATIONS.find(name)
        changed = not np.array_equal(degraded(row.build(name, {}), PICTURE, 1, 0), PICTURE)
        assert changed == (not row.needs_scale)

    def test_its_settings_are_json_both_ways(self, name):
        """So that a study records what was done to its pictures."""
        degradation = DEGRADATIONS.find(name).build(name, {})
        if name != OWN:
            assert from_json(type(degradation), to_json(degradation)) == degradation


def test_a_function_of_ones_own_has_no_settings_and_gives_the_low_sides_shape():
    """Both are refused by name."""
    with pytest.raises(UserError, match="fog has no settings: got density"):
        DEGRADATIONS.find(OWN).build("fog", {"density": 1})
    with pytest.raises(UserError, match=r"misshapen does not return a picture: got shape \(48, 72, 3\)"):
        degraded(misshapen, PICTURE, 2, 0)
    with pytest.raises(UserError, match=r"unknown degradation 'bicubik'.*Did you mean bicubic"):
        DEGRADATIONS.find("bicubik")
