"""A slice of ``benchmarks/property_campaign.py``, which runs 10,000 cases."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "property_campaign.py"
spec = importlib.util.spec_from_file_location("property_campaign", SCRIPT)
campaign = importlib.util.module_from_spec(spec)
spec.loader.exec_module(campaign)


@pytest.mark.parametrize("name", campaign.ATTEMPTS)
def test_right_answers_or_typed_errors(name, tmp_path):
    count = 8 if "register" in name or "ITK" in name else 30
    failures = []
    for seed in range(count):
        _, outcome, wrong = campaign.run_case(seed, tmp_path, name)
        if wrong:
            failures.append(f"seed {seed}: {outcome}: {wrong}")
    assert not failures, "\n".join(failures)
