"""Embeddings are useful: what belongs together is found, with the user's own knowledge as well."""

from pathlib import Path

import openai
import pytest
import yaml

from stackproof_gateway.concepts import NO_CONCEPTS, load_concepts
from stackproof_gateway.embeddings import embed
from stackproof_gateway.stems import stem

FOLDER = Path(__file__).parent / "retrieval"
DIMENSIONS = 1536


def closeness(vector, other):
    return sum(a * b for a, b in zip(vector, other, strict=True))


def found_first(concepts, dimensions=DIMENSIONS):
    """The share of the held-out queries whose document comes first, and those that missed."""
    documents = yaml.safe_load((FOLDER / "documents.yaml").read_text())
    queries = yaml.safe_load((FOLDER / "queries.yaml").read_text())
    vectors = {name: embed(text, dimensions, concepts) for name, text in documents.items()}
    missed = []
    for query, wanted in queries:
        vector = embed(query, dimensions, concepts)
        best = max(vectors, key=lambda name: closeness(vector, vectors[name]))
        if best != wanted:
            missed.append((query, best))
    return 1 - len(missed) / len(queries), missed


def test_nine_of_ten_questions_of_other_people_find_their_document():
    share, missed = found_first(load_concepts(FOLDER / "concepts.yaml"))
    assert share >= 0.9, missed


def test_most_are_found_without_any_synonyms():
    share, missed = found_first(NO_CONCEPTS)
    assert share >= 0.8, missed


@pytest.mark.parametrize(
    ("word", "other"),
    [("restarts", "restarting"), ("databases", "database"), ("deleted", "deletes"),
     ("authorised", "authorisation"), ("stopped", "stop"), ("parties", "party")],
)  # fmt: skip
def test_forms_of_a_word_have_one_stem(word, other):
    assert stem(word) == stem(other)


def test_synonyms_of_the_users_file_bring_texts_together(tmp_path):
    path = tmp_path / "concepts.yaml"
    path.write_text("concepts:\n  car: [automobile, vehicle]\n")
    known = load_concepts(path)
    pair = ("my automobile", "your vehicle")
    before = closeness(*(embed(text, 512) for text in pair))
    after = closeness(*(embed(text, 512, known) for text in pair))
    assert after > before + 0.2


def test_pinned_texts_have_one_embedding(tmp_path):
    path = tmp_path / "concepts.yaml"
    path.write_text('pinned:\n  - ["Where is my parcel?", track a shipment]\n')
    known = load_concepts(path)
    one, other = (embed(text, 256, known) for text in ("Where is my parcel?", "Track a shipment"))
    assert closeness(one, other) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("text", ["", "   ", "!!!", "the of and", "\ud800", "日本語"])
def test_every_text_has_an_embedding_of_length_one(text):
    vector = embed(text, 64)
    assert closeness(vector, vector) == pytest.approx(1.0, abs=1e-5)


def test_the_gateway_uses_the_users_file_for_embeddings_and_stores(tmp_path, serve):
    path = tmp_path / "concepts.yaml"
    path.write_text("concepts:\n  car: [automobile, vehicle]\n")
    with serve(concepts=path) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="x") as client:
        one, other = (
            item.embedding
            for item in client.embeddings.create(model="e", input=["automobile", "vehicle"]).data
        )
        assert closeness(one, other) > 0.25
