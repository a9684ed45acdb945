"""Small repositories of strangers, and what `init` makes of them."""

from pathlib import Path
from textwrap import dedent

from stackproof.settings import load_settings
from stackproof.tasks.init.changes import change_of, write
from stackproof.tasks.init.compose_files import compose_files
from stackproof.tasks.init.files import proposed_files
from stackproof.tasks.init.proposal import Machine, propose

MACHINE = Machine({"HOME": "/root"}, no_world=lambda: "", is_free=lambda _: True)

PYTHON = "FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n"

FASTAPI = {
    "docker-compose.yml": """\
        services:
          web:
            build: .
            command: uvicorn app.main:app --host 0.0.0.0
            ports: ["8000:8000"]
            environment:
              - DATABASE_URL=postgresql://shop:shop@db:5432/shop
              - REDIS_URL=redis://redis:6379/0
            depends_on: [db, redis]
          db:
            image: postgres:16-alpine
            environment: {POSTGRES_USER: shop, POSTGRES_PASSWORD: shop, POSTGRES_DB: shop}
            ports: ["5432:5432"]
          redis:
            image: redis:7
        """,
    "Dockerfile": PYTHON,
    "requirements.txt": "fastapi\nuvicorn[standard]>=0.30\nalembic\n",
    "alembic.ini": "",
    "app/__init__.py": "",
    "app/seed.py": "",
}

DJANGO = {
    "compose.yaml": """\
        services:
          web:
            build: .
            command: python manage.py runserver 0.0.0.0:8000
            ports: ["8000:8000"]
            env_file: .env
            depends_on: {db: {condition: service_healthy}}
          db:
            image: postgres:15
            env_file: .env
            healthcheck: {test: "pg_isready -U postgres"}
        """,
    ".env.example": "POSTGRES_DB=site\nPOSTGRES_USER=site\nPOSTGRES_PASSWORD=site\nDB_HOST=db\n",
    ".gitignore": ".env\n*.pyc\n",
    "Dockerfile": PYTHON,
    "requirements.txt": "Django==5.1\npsycopg\n",
    "manage.py": "",
    "polls/fixtures/polls.json": "[]",
}

FLASK = {
    "compose.yaml": """\
        services:
          web:
            build: .
            ports: ["8000:5000"]
            healthcheck: {test: "curl -f http://localhost:5000/health"}
          redis:
            image: redis:alpine
        """,
    "Dockerfile": PYTHON + 'CMD ["flask", "run", "--host=0.0.0.0"]\n',
    "requirements.txt": "flask\nredis\n",
}

CELERY = {
    "compose.yaml": """\
        services:
          worker:
            build: .
            command: celery -A proj worker --loglevel=info
            environment: {BROKER: "amqp://guest:guest@rabbitmq//"}
            depends_on: [rabbitmq]
          quiet:
            build: .
            command: celery -A proj worker
          rabbitmq:
            image: rabbitmq:3-management
            ports: ["5672:5672", "15672:15672"]
        """,
    "Dockerfile": PYTHON,
    "requirements.txt": "celery\n",
    "tasks.py": "from celery import Celery\n",
}

KIBANA = {
    "compose.yaml": """\
        services:
          web:
            build: .
            command: uvicorn app:app
          kibana: {image: "kibana:8.15.0"}
          search: {image: "elasticsearch:8.15.0", profiles: [search]}
          mongo: {image: "mongo:7"}
        """,
    "Dockerfile": PYTHON,
    "requirements.txt": "uvicorn\n",
}


def repository(folder, files):
    """Write the files of a repository."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return folder


def proposal_of(root, *given, machine=MACHINE, **options):
    """What `init` finds out about a repository with one stack."""
    (files,) = compose_files(root, given)
    return propose(root, files, machine, **options)


def initialised(root, *given, **options):
    """Write what `init` proposes; give back its names and texts."""
    proposed = proposed_files(proposal_of(root, *given, **options))
    for file in proposed:
        change = change_of(root, file)
        if change.is_written:
            write(root, change)
    return {file.name: file.text for file in proposed}


def settings_of(root, stack=None):
    """The settings that the written config leads to."""
    return load_settings(Path(root), stack=stack, environment={"HOME": "/root"})
