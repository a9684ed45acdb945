#!/bin/sh
# Options alone mean the server, as with the official image, which also serves its whole network.
set -e
case "${1:-}" in
  -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ]; then
  set -- "$@" --protected-mode no
fi
exec "$@"
