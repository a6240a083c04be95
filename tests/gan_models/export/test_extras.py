"""The command that installs an extra stands in the message about its missing package."""

import pytest
from ganprune.gan_models.files.packages import Package, PackageMissing, check_installed, install_command


def test_an_extra_is_named_by_its_command():
    """A package of an extra is installed by the extra, once, with what else that needs."""
    litert = Package("nosuch_litert", "no-such-litert", extra="litert")
    with pytest.raises(PackageMissing, match=r"needs no-such-litert, .*; pip install 'ganprune\[litert\]'$"):
        check_installed("format LiteRT", (litert,))
    assert install_command((litert, litert, Package("other"))) == "pip install 'ganprune[litert]' other"
