import pytest

from napari_mmreg.errors import InputError, ModelError
from napari_mmreg.fusion import (
    DEFAULT,
    FusionInfo,
    get_fusion_info,
    list_fusions,
    load_fusion,
    register_fusion,
    registry,
)


@pytest.mark.parametrize("name", [info.name for info in list_fusions()])
def test_every_method_loads_and_describes_itself(name):
    fusion, info = load_fusion(name), get_fusion_info(name)
    assert fusion.info is info
    assert info.title
    assert info.purpose.endswith(".")
    assert info.licence
    assert fusion.reach > 0
    assert fusion.stride > 0


def test_the_default_needs_no_weights():
    assert not get_fusion_info(DEFAULT).needs_weights


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ModelError, match=r"no fusion method called 'magic'.*laplacian"):
        load_fusion("magic")


def test_adding_a_method(monkeypatch):
    monkeypatch.setattr(registry._FUSIONS, "entries", dict(registry._FUSIONS.entries))
    info = FusionInfo("mine", "Mine", "Does what I want.", "MIT")
    register_fusion(info, lambda: "the method")
    assert load_fusion("mine") == "the method"
    assert list_fusions()[-1] is info
    with pytest.raises(InputError, match="already"):
        register_fusion(info, str)
