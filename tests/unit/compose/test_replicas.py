"""Replicas in what Docker Compose has read."""

from stackproof.engines.compose.replicas import replicated

READ = {
    "services": {
        "web": {"image": "i", "scale": 2, "deploy": {"replicas": 2, "labels": {}},
                "networks": {"front": {"aliases": ["www"]}}},
        "job": {"image": "i", "networks": {"default": None},
                "depends_on": {"web": {"condition": "service_started"}},
                "links": ["web:peer", "web"], "volumes_from": ["web:ro"],
                "network_mode": "service:web"},
    }
}  # fmt: skip


def test_each_replica_is_a_service_of_the_model_and_others_name_it():
    services = replicated(READ, {"web": ("web-1", "web-2")})["services"]
    web = {
        "image": "i",
        "deploy": {"labels": {}},
        "networks": {"front": {"aliases": ["www", "web"]}},
    }
    assert services["web-1"] == services["web-2"] == web
    job = services["job"]
    assert list(job["depends_on"]) == ["web-1", "web-2"]
    assert (job["links"], job["volumes_from"]) == (["web-1:peer", "web-1"], ["web-1:ro"])
    assert job["network_mode"] == "service:web-1"
    assert replicated(READ, {}) is READ
