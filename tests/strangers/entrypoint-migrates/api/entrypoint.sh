#!/bin/sh
set -e

echo "Waiting for postgres..."
until python -c "import os, socket; socket.create_connection((os.environ['SQL_HOST'], int(os.environ['SQL_PORT'])), 2)" 2>/dev/null; do
  sleep 0.1
done
echo "PostgreSQL started"

alembic upgrade head

exec "$@"
