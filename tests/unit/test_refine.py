"""Claims about the dense tier: nothing is embedded twice, near packages come first, and both rankings find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from goassist_index.embed import FakeEmbedder
from goassist_index.errors import IndexCorrupt
from goassist_index.fusion import joined
from goassist_index.postings import Hit
from goassist_index.refine import DenseTier
from goassist_index.search import JOINED, WORDS_ALONE, Searcher, weights_for
from goassist_index.store import Store
from goassist_index.update import update_file, update_workspace
from support.workspaces import lay_out

MEANING_ALONE = (0.0, 1.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "shop")


@pytest.fixture
def store(tmp_path: Path, root: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        update_workspace(opened, root)
        yield opened


@pytest.fixture
def fake() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
def tier(store: Store, fake: FakeEmbedder) -> Iterator[DenseTier]:
    made = DenseTier(store, fake)
    made.refresh(store.live_units())
    yield made
    made.close()


def symbols(searcher: Searcher, tier: DenseTier, query: str, **options: object) -> list[str]:
    vector = tier.asked(query).result()
    return [snippet.symbol for snippet in searcher.search(query, 5, vector=vector, **options)]  # type: ignore[arg-type]


def test_all_pieces_are_embedded_once_and_found(store: Store, root: Path, tier: DenseTier, fake: FakeEmbedder) -> None:
    assert tier.coverage.embedded == 0
    count = tier.refine()
    assert (tier.coverage.pieces, tier.coverage.embedded, fake.asked) == (count, count, count)
    assert count > 8
    searcher = Searcher(store, root, dense=tier)
    searcher.refresh()
    assert symbols(searcher, tier, "apply a discount", weights=MEANING_ALONE)[0] == "Cart.ApplyDiscount"
    assert symbols(searcher, tier, "change an amount at a rate of today")[0] == "ConvertCurrency"
    assert tier.refine() == 0


def test_what_was_embedded_before_is_not_again_after_a_restart_or_a_switch_and_back(
    store: Store, root: Path, tier: DenseTier, fake: FakeEmbedder
) -> None:
    tier.refine()
    tier.close()
    asked = fake.asked
    again = DenseTier(store, fake)
    again.refresh(store.live_units())
    assert (again.refine(), again.coverage.embedded, fake.asked) == (0, again.coverage.pieces, asked)
    path = root / "cart/discount.go"
    before = path.read_text()
    path.write_text("package cart\n\n// Haggle lowers a price.\nfunc Haggle() {}\n")
    update_file(store, root, path)
    again.refresh(store.live_units())
    made = again.refine()  # the function, and the package's outline and type that list what it has
    assert 1 <= made <= 4
    searcher = Searcher(store, root, dense=again)
    searcher.refresh()
    assert symbols(searcher, again, "haggle lowers", weights=MEANING_ALONE)[0] == "Haggle"
    assert "Cart.ApplyDiscount" not in symbols(searcher, again, "apply a discount", weights=MEANING_ALONE)
    path.write_text(before)
    update_file(store, root, path)
    searcher.refresh()
    assert again.refine() == 0
    assert symbols(searcher, again, "apply a discount", weights=MEANING_ALONE)[0] == "Cart.ApplyDiscount"
    again.close()


def test_an_index_made_anew_embeds_nothing_again(store: Store, root: Path, tier: DenseTier, fake: FakeEmbedder) -> None:
    tier.refine()
    asked = fake.asked
    searcher = Searcher(store, root, dense=tier)
    searcher.refresh()
    store.rebuild()
    update_workspace(store, root)
    searcher.refresh()
    assert (tier.refine(), fake.asked) == (0, asked)
    assert symbols(searcher, tier, "apply a discount", weights=MEANING_ALONE)[0] == "Cart.ApplyDiscount"


def test_the_nearest_packages_come_first(store: Store, tier: DenseTier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goassist_index.refine.BATCH_CHARS", 1)
    folders = store.folders()

    def next_folder(near: set[str]) -> str:
        batch = tier.next_batch(near)
        assert batch is not None
        tier.keep(batch)
        (hit,) = tier.ranked(batch.vectors.result(), 1)
        return folders[hit.unit]

    assert [next_folder({"price"}) for _ in range(2)] == ["price"] * 2
    assert [next_folder({"cart"}) for _ in range(4)] == ["cart"] * 4


def test_only_one_process_embeds_for_a_workspace(store: Store, tier: DenseTier) -> None:
    with FileLock(store.folder / "refine.lock"):
        assert tier.next_batch() is None
    assert tier.next_batch() is not None


def test_what_another_process_embedded_is_found(store: Store, tier: DenseTier, fake: FakeEmbedder) -> None:
    other = DenseTier(store, FakeEmbedder())
    other.refresh(store.live_units())
    other.refine()
    other.close()
    tier.refresh(store.live_units())
    assert tier.coverage.embedded == tier.coverage.pieces > 0
    assert (tier.refine(), fake.asked) == (0, 0)


def test_a_damaged_file_of_vectors_is_embedded_anew_and_a_damaged_index_is_only_built(
    store: Store, tier: DenseTier, fake: FakeEmbedder
) -> None:
    count = tier.refine()
    tier.close()
    for path in store.folder.glob("dense-*.faiss"):
        path.write_bytes(b"nonsense")
    again = DenseTier(store, fake)
    again.refresh(store.live_units())
    assert (again.rebuilt, again.refine(), fake.asked) == ("damaged", 0, count)
    assert DenseTier(store, fake).rebuilt == ""
    again.close()
    (store.folder / "vectors.sqlite").write_bytes(b"nonsense" * 1000)
    for path in store.folder.glob("vectors.sqlite-*"):
        path.unlink()
    anew = DenseTier(store, fake)
    anew.refresh(store.live_units())
    assert (anew.rebuilt, anew.refine()) == ("damaged", count)
    anew.close()


def test_an_unsaved_text_has_its_unchanged_pieces_found_in_it(store: Store, root: Path, tier: DenseTier) -> None:
    tier.refine()
    searcher = Searcher(store, root, dense=tier)
    searcher.refresh()
    path = root / "cart/discount.go"
    searcher.set_buffer(path, path.read_text() + "\nfunc Haggle() {}\n")
    vector = tier.asked("apply a discount").result()
    first = searcher.search("apply a discount", 1, vector=vector, weights=MEANING_ALONE)[0]
    assert (first.symbol, first.source) == ("Cart.ApplyDiscount", "buffer")
    searcher.set_buffer(path, None)
    first = searcher.search("apply a discount", 1, vector=vector, weights=MEANING_ALONE)[0]
    assert (first.symbol, first.source) == ("Cart.ApplyDiscount", "workspace")


def test_rankings_are_joined_by_their_places() -> None:
    words = [Hit(1, 0, 40.0), Hit(2, 0, 30.0), Hit(3, 0, 1.0)]
    meaning = [Hit(3, 0, 0.9), Hit(2, 0, 0.8)]
    hits = joined([(words, 1.0), (meaning, 1.0)])
    assert [hit.unit for hit in hits] == [3, 2, 1]
    assert hits[0].score == pytest.approx(1 / 63 + 1 / 61)
    assert [hit.unit for hit in joined([(words, 1.0), (meaning, 0.0)])] == [1, 2, 3]
    assert [hit.unit for hit in joined([(words, 0.0), (meaning, 1.0)])] == [3, 2]


def test_a_piece_that_went_while_it_was_embedded_is_not_found(store: Store, root: Path, tier: DenseTier) -> None:
    batches = []
    while (batch := tier.next_batch()) is not None:
        batches.append(batch)
    (root / "cart/discount.go").unlink()
    update_file(store, root, root / "cart/discount.go")
    tier.refresh(store.live_units())
    for batch in batches:
        tier.keep(batch)
    vector = np.concatenate([batch.vectors.result() for batch in batches])
    live = store.live_units()
    assert {hit.unit for row in vector for hit in tier.ranked(row[None], 3)} <= live


def test_a_save_while_a_batch_is_under_way_embeds_none_of_it_again(
    store: Store, root: Path, tier: DenseTier, fake: FakeEmbedder
) -> None:
    batch = tier.next_batch()
    assert batch is not None
    (root / "price/other.go").write_text("package price\n\nfunc Other() {}\n")
    update_file(store, root, root / "price/other.go")
    tier.refresh(store.live_units())
    tier.keep(batch)
    tier.refine()
    assert fake.asked == len(batch.numbers) + tier.coverage.pieces - len(set(batch.numbers) & set(tier._places))


def test_units_whose_digests_are_damaged_are_told(store: Store, tier: DenseTier) -> None:
    store._db.execute("UPDATE units SET digests=x'00'")
    with pytest.raises(IndexCorrupt, match="digest"):
        DenseTier(store, FakeEmbedder()).refresh(store.live_units())


@pytest.mark.parametrize(
    ("query", "weights"),
    [
        ("reads a length of time; fails for negative ones", JOINED),
        ("what parses the configuration (of a server)?", JOINED),
        ("ParseLine", WORDS_ALONE),
        ("parse line", WORDS_ALONE),
        ("func f() error {\n\tx := g()", WORDS_ALONE),
        ("if err != nil return", WORDS_ALONE),
    ],
)
def test_meaning_counts_for_prose_alone(query: str, weights: tuple[float, float]) -> None:
    assert weights_for(query) == weights
