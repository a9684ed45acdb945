"""A vector store that needs time: its files are in progress, and not found meanwhile."""

import pytest


def test_a_file_is_in_progress_for_so_many_reads_and_found_afterwards(gateway, client):
    gateway.slow_indexing(2)
    store = client.vector_stores.create(name="slow")
    file = client.files.create(file=("pie.txt", b"apple pie"), purpose="assistants")
    added = client.vector_stores.files.create(store.id, file_id=file.id)
    assert added.status == "in_progress"
    assert client.vector_stores.retrieve(store.id).status == "in_progress"
    assert client.vector_stores.search(store.id, query="pie").data == []

    states = [
        client.vector_stores.files.retrieve(file.id, vector_store_id=store.id).status
        for _ in range(2)
    ]

    assert states == ["in_progress", "completed"]
    assert client.vector_stores.retrieve(store.id).file_counts.completed == 1
    assert client.vector_stores.search(store.id, query="pie").data


def test_a_batch_is_in_progress_as_long_as_its_files(gateway, client):
    gateway.slow_indexing(1)
    store = client.vector_stores.create(name="slow")
    file = client.files.create(file=("pie.txt", b"apple pie"), purpose="assistants")
    batch = client.vector_stores.file_batches.create(store.id, file_ids=[file.id])
    assert (batch.status, batch.file_counts.in_progress) == ("in_progress", 1)
    batch = client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id)
    assert (batch.status, batch.file_counts.completed) == ("completed", 1)


@pytest.mark.parametrize("wrong", [-1, True, "2", None])
def test_a_wrong_number_of_reads_is_refused(gateway, wrong):
    with pytest.raises(ValueError, match="`reads` must be a whole number from 0"):
        gateway.tell("indexing", {"reads": wrong})
