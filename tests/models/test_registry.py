import pytest

from napari_mmreg.errors import InputError, ModelError
from napari_mmreg.models import DEFAULT, ModelInfo, get_info, list_models, load_model, registry


def test_every_entry_is_described():
    infos = list_models()
    assert DEFAULT in [info.name for info in infos]
    for info in infos:
        assert info.title
        assert info.purpose.endswith(".")
        assert info.licence


@pytest.mark.parametrize("name", [info.name for info in list_models()])
def test_every_model_loads_and_says_who_it_is(name):
    model = load_model(name)
    assert model.info == get_info(name)


def test_auto_is_the_default():
    assert get_info("auto") is get_info(DEFAULT)


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ModelError, match=r"no model called 'magic'.*auto, .*classical"):
        load_model("magic")


def test_adding_a_model(monkeypatch):
    monkeypatch.setattr(registry._MODELS, "entries", dict(registry._MODELS.entries))
    info = ModelInfo("mine", "Mine", "Does what I want.", "MIT")
    registry.register_model(info, lambda: "the model")
    assert load_model("mine") == "the model"
    assert list_models()[-1] is info
    for name in ("mine", "auto"):
        with pytest.raises(InputError, match="already"):
            registry.register_model(ModelInfo(name, "", "", ""), str)
