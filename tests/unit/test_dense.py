"""Claims about goassist_index.dense and .vectors: what is near is found, and damage costs no more than time."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pytest

from goassist_index import dense
from goassist_index.dense import DenseIndex, Layout
from goassist_index.embed import Matrix
from goassist_index.errors import IndexCorrupt
from goassist_index.vectors import Numbers, Vectors, numbers_of

DIMENSIONS = 16


def random_vectors(count: int, seed: int = 0) -> tuple[Numbers, Matrix]:
    """Vectors of length 1 around a few centres, and numbers as large as digests give them."""
    draw = np.random.default_rng(seed)
    centres = draw.standard_normal((8, DIMENSIONS))
    rows = centres[draw.integers(0, 8, count)] + 0.5 * draw.standard_normal((count, DIMENSIONS))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    numbers = draw.permutation(np.arange(count, dtype=np.int64)) + (1 << 62)
    return numbers, rows.astype(np.float32)


def opened(folder: Path, space: str = "fake") -> DenseIndex:
    return DenseIndex(folder, space, DIMENSIONS)


def found(index: DenseIndex, vector: Matrix, k: int = 5) -> list[int]:
    return [number for number, _ in index.search(vector, k)]


def exact(numbers: Numbers, vectors: Matrix, vector: Matrix, k: int = 5) -> list[int]:
    return [int(number) for number in numbers[np.argsort(-(vectors @ vector))[:k]]]


def test_what_was_written_is_found_by_whoever_opens_it(tmp_path: Path) -> None:
    numbers, vectors = random_vectors(300)
    opened(tmp_path).write(numbers, vectors)
    index = opened(tmp_path)
    assert (len(index), index.rebuilt, index.layout) == (300, "", Layout("flat"))
    assert found(index, vectors[7]) == exact(numbers, vectors, vectors[7])
    (number, cosine), *_ = index.search(vectors[7], 1)
    assert (number, pytest.approx(cosine, abs=1e-5)) == (numbers[7], 1.0)


def test_additions_and_removals_count_at_once_and_end_in_the_next_file(tmp_path: Path) -> None:
    numbers, vectors = random_vectors(300)
    index = opened(tmp_path)
    index.write(numbers[:200], vectors[:200])
    assert index.reopen()
    index.add(numbers[200:], vectors[200:])
    index.remove(numbers[:50])
    index.remove(numbers[290:])
    there = slice(50, 290)
    for probe in (0, 55, 210, 295):
        assert found(index, vectors[probe]) == exact(numbers[there], vectors[there], vectors[probe])
    assert len(index) == 240
    assert sorted(index.numbers().tolist()) == sorted(numbers[there].tolist())
    index.write(numbers[there], vectors[there])
    assert index.reopen()
    assert (index.fresh, len(index)) == (0, 240)
    assert found(index, vectors[0]) == exact(numbers[there], vectors[there], vectors[0])


def test_a_vector_of_the_same_number_replaces_the_one_before(tmp_path: Path) -> None:
    numbers, vectors = random_vectors(20)
    index = opened(tmp_path)
    index.write(numbers, vectors)
    index.reopen()
    index.add(numbers[:1], -vectors[:1])
    index.add(numbers[:1], -vectors[:1])
    assert found(index, vectors[0], 20)[-1] == numbers[0]
    assert len(index) == len(found(index, vectors[0], 40)) == 20


def test_beyond_a_size_lists_are_looked_through_until_enough_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense, "FLAT_UP_TO", 1000)
    numbers, vectors = random_vectors(3000)
    opened(tmp_path).write(numbers, vectors)
    index = opened(tmp_path)
    assert (index.layout.kind, index.layout.lists) == ("ivf", dense.lists_for(3000)) == ("ivf", 76)
    assert index.layout.recall >= dense.LEAST_RECALL
    assert 1 <= index.layout.probes < index.layout.lists
    hits = [
        set(found(index, vectors[i], 10)) & set(exact(numbers, vectors, vectors[i], 10)) for i in range(0, 3000, 60)
    ]
    assert np.mean([len(hit) / 10 for hit in hits]) > 0.9
    index.remove(numbers[:1])
    assert numbers[0] not in found(index, vectors[0])
    all_lists = [number for number, _ in index.search(vectors[1], 10, probes=index.layout.lists)]
    assert all_lists == [n for n in exact(numbers, vectors, vectors[1], 11) if n != numbers[0]][:10]


@pytest.mark.filterwarnings("ignore:WARNING clustering")
def test_the_largest_are_quantised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "FLAT_UP_TO", 1000)
    monkeypatch.setattr(dense, "PQ_FROM", 2000)
    numbers, vectors = random_vectors(12_000)
    manifest = opened(tmp_path).write(numbers, vectors)
    index = opened(tmp_path)
    assert index.layout.kind == "ivfpq"
    assert 0 < index.layout.recall < 1
    assert manifest.size_bytes < vectors.nbytes / 2
    assert numbers[5] in found(index, vectors[5], 50)


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "manifest", "no manifest's fields"])
def test_a_damaged_file_is_passed_over_and_made_anew(tmp_path: Path, damage: str) -> None:
    numbers, vectors = random_vectors(100)
    manifest = opened(tmp_path).write(numbers, vectors)
    path = tmp_path / manifest.file
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[:-100])
    elif damage == "flipped":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "gone":
        path.unlink()
    elif damage == "manifest":
        (tmp_path / "dense.json").write_bytes(b"{")
    else:
        (tmp_path / "dense.json").write_text(json.dumps({"layout": {}}))
    index = opened(tmp_path)
    assert (index.rebuilt, len(index)) == ("damaged", 0)
    assert found(index, vectors[0]) == []
    index.write(numbers, vectors)
    assert index.reopen()
    assert found(index, vectors[3], 1) == [numbers[3]]
    assert opened(tmp_path).rebuilt == ""


def test_a_file_of_another_model_is_passed_over(tmp_path: Path) -> None:
    opened(tmp_path).write(*random_vectors(10))
    other = opened(tmp_path, "other")
    assert (other.rebuilt, len(other)) == ("of another model or version", 0)


def test_whoever_has_the_file_open_goes_on_with_it_until_he_looks(tmp_path: Path) -> None:
    numbers, vectors = random_vectors(40)
    writer, reader = opened(tmp_path), opened(tmp_path)
    writer.write(numbers[:20], vectors[:20])
    assert reader.reopen()
    assert not reader.reopen()
    writer.write(numbers, vectors)
    assert found(reader, vectors[30], 1) != [numbers[30]]
    assert reader.reopen()
    assert found(reader, vectors[30], 1) == [numbers[30]]
    assert len(list(tmp_path.glob("*.faiss"))) == 1


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    opened(tmp_path).write(*random_vectors(10))
    Vectors(tmp_path, "fake", DIMENSIONS).close()
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert len(files) >= 3
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)


def test_vectors_are_kept_by_number_and_what_is_gone_for_a_while(tmp_path: Path) -> None:
    numbers, rows = random_vectors(30)
    kept = Vectors(tmp_path, "fake", DIMENSIONS)
    kept.put(numbers.tolist(), rows)
    kept.put(numbers[:1].tolist(), rows[1:2])
    kept.close()
    kept = Vectors(tmp_path, "fake", DIMENSIONS)
    assert kept.rebuilt == ""
    assert kept.numbers().tolist() == sorted(numbers.tolist())
    there, vectors = kept.get([int(numbers[0]), int(numbers[5]), 12])
    assert dict(zip(there.tolist(), vectors.tolist(), strict=True)) == {
        numbers[0]: rows[1].astype(np.float16).astype(np.float32).tolist(),
        numbers[5]: rows[5].astype(np.float16).astype(np.float32).tolist(),
    }
    kept.sweep(numbers[:10].tolist())
    assert len(kept.numbers()) == 30  # few enough to be kept for a switch back


def test_beyond_its_spare_room_what_is_gone_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goassist_index.vectors._SPARE", 3)
    numbers, rows = random_vectors(30)
    kept = Vectors(tmp_path, "fake", DIMENSIONS)
    kept.put(numbers.tolist(), rows)
    kept.sweep(numbers[:5].tolist())
    assert len(kept.numbers()) == 5 + 3 + 5
    assert set(numbers[:5].tolist()) <= set(kept.numbers().tolist())


def test_a_damaged_vector_is_told(tmp_path: Path) -> None:
    numbers, rows = random_vectors(3)
    kept = Vectors(tmp_path, "fake", DIMENSIONS)
    kept.put(numbers.tolist(), rows)
    kept._db.execute("UPDATE vectors SET vector=zeroblob(36) WHERE number=?", (int(numbers[1]),))
    with pytest.raises(IndexCorrupt, match="a vector"):
        kept.get(numbers)
    kept.rebuild()
    assert (kept.rebuilt, len(kept.numbers())) == ("damaged", 0)


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
def test_a_damaged_file_of_vectors_is_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vectors.sqlite").write_bytes(content)
    kept = Vectors(tmp_path, "fake", DIMENSIONS)
    assert kept.rebuilt == ("damaged" if content else "")
    kept.put([1], random_vectors(1)[1])
    kept.close()
    assert Vectors(tmp_path, "other", DIMENSIONS).rebuilt == "of another model or version"


def test_numbers_come_from_digests_and_are_never_negative() -> None:
    digests = bytes(range(16)) + b"\xff" * 16
    assert numbers_of(digests).tolist() == [0x0706050403020100, 0x7FFF_FFFF_FFFF_FFFF]
