"""Records on disk: one compact file, read back as they were written."""

from benchmarks.accuracy.records import load, save


def record(method, pairs, protocol="N256"):
    return {"method": method, "protocol": protocol, "data": "val", "seed": 0, "pairs": pairs}


FULL = {"pair": "a", "error": 1.25, "seconds": 0.5, "failure": "", "elastic_recovery": -0.125}
BARE = {"pair": "b", "error": 2.5, "seconds": 1.0, "failure": "no matches"}


def test_records_are_read_as_written_with_the_fields_that_each_pair_has(tmp_path):
    path = tmp_path / "new" / "records.jsonl"
    records = [record("one", [FULL, BARE]), record("two", [BARE])]
    save(records, path)
    assert load(path) == records
    assert len(path.read_text().splitlines()) == 2


def test_a_new_record_replaces_only_that_of_the_same_measurement(tmp_path):
    path = tmp_path / "records.jsonl"
    save([record("one", [FULL]), record("two", [FULL]), record("one", [FULL], "R256")], path)
    save([record("one", [BARE])], path)
    found = {(r["method"], r["protocol"]): r["pairs"] for r in load(path)}
    assert found == {("one", "N256"): [BARE], ("two", "N256"): [FULL], ("one", "R256"): [FULL]}


def test_numbers_are_rounded_to_what_the_tables_can_show(tmp_path):
    path = tmp_path / "records.jsonl"
    save([record("one", [{"error": 1.23456789, "seconds": 0.98765}])], path)
    assert load(path)[0]["pairs"] == [{"error": 1.234568, "seconds": 0.988}]


def test_no_file_holds_no_records(tmp_path):
    assert load(tmp_path / "records.jsonl") == []
