import pytest

from napari_mmreg.batch import BatchParameters
from napari_mmreg.errors import InputError, ModelError


def test_parameters_come_back_from_their_file(tmp_path):
    parameters = BatchParameters(
        model="sasnet", refine=False, seed=3, fixed_spacing=2.0, moving_modality="thermal"
    )
    parameters.save(tmp_path / "batch.yaml")
    assert BatchParameters.load(tmp_path / "batch.yaml") == parameters
    assert parameters.fixed_spacing == (2.0, 2.0)


def test_what_a_file_leaves_out_has_its_default(tmp_path):
    (tmp_path / "p.yaml").write_text("model: classical\n")
    assert BatchParameters.load(tmp_path / "p.yaml") == BatchParameters(model="classical")
    (tmp_path / "empty.yaml").write_text("")
    assert BatchParameters.load(tmp_path / "empty.yaml") == BatchParameters()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: hrnet\n", "names modle. The parameters are model, budget, device"),
        ("- model\n", "does not list parameters"),
        ("a: [\n", "cannot be read as YAML"),
        ("refine: maybe\n", "refine has to be true or false"),
        ("seed: 1.5\n", "seed has to be a whole number"),
        ("moving_spacing: [1, 1]\n", "moving_spacing needs fixed_spacing"),
        ("fixed_spacing: [0, 1]\n", "fixed spacing"),
        ("!!python/object/apply:os.system ['true']\n", "cannot be read as YAML"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, text, message):
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        BatchParameters.load(tmp_path / "p.yaml")


def test_an_unknown_model_is_said():
    with pytest.raises(ModelError):
        BatchParameters(model="nonesuch")
