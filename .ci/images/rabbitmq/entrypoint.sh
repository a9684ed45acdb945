#!/bin/bash
# Starts the server as its own user, and refuses the variables that the official image refuses. The
# others (RABBITMQ_DEFAULT_USER, _PASS, _VHOST, RABBITMQ_NODENAME, …) are read by RabbitMQ itself.
set -euo pipefail

if [[ "$1" == rabbitmq* ]] && [ "$(id -u)" = 0 ]; then
  if [ "$1" = rabbitmq-server ]; then
    find /var/lib/rabbitmq \! -user rabbitmq -exec chown rabbitmq '{}' +
  fi
  exec setpriv --reuid rabbitmq --regid rabbitmq --init-groups "$BASH_SOURCE" "$@"
fi

refused=
for name in RABBITMQ_DEFAULT_PASS_FILE RABBITMQ_DEFAULT_USER_FILE \
  RABBITMQ_MANAGEMENT_SSL_{CACERTFILE,CERTFILE,DEPTH,FAIL_IF_NO_PEER_CERT,KEYFILE,VERIFY} \
  RABBITMQ_SSL_{CACERTFILE,CERTFILE,DEPTH,FAIL_IF_NO_PEER_CERT,KEYFILE,VERIFY} \
  RABBITMQ_VM_MEMORY_HIGH_WATERMARK; do
  if [ -n "${!name:-}" ]; then
    echo "error: $name is set but deprecated" >&2
    refused=1
  fi
done
if [ -n "$refused" ]; then
  echo "error: use a configuration file instead" >&2
  exit 1
fi
exec "$@"
