"""A health check that only the image has: Docker asks it, and its events tell."""


def test_a_service_that_was_healthy_before_is_not_waited_for_again(project):
    image = project.environment.get("PYTHON_IMAGE", "python:3.11-slim")
    project.write("web/Dockerfile", f"FROM {image}\nHEALTHCHECK --interval=1s CMD true\n")
    project.replace("compose.yaml", f"  web:\n    image: {image}\n", "  web:\n    build: web\n")
    check = "healthcheck: {test: [CMD, python, /app/check.py], interval: 1s, retries: 30}"
    project.replace("compose.yaml", check, "stop_grace_period: 1s")
    project.invoke("up")
    web = project.container("web").id

    project.replace("compose.yaml", "/app/loop.py]", "/app/loop.py, again]")
    said = project.invoke("up")

    assert "changed: worker" in said
    assert project.container("web").id == web
    project.invoke("down")
    project.wait_until_nothing_is_left()
