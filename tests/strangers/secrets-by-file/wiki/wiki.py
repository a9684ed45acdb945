import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg


def secret(name):
    return Path(os.environ[f"{name}_FILE"]).read_text().strip()


def connect():
    return psycopg.connect(
        host=os.environ["DB_HOST"],
        user=os.environ["DB_USER"],
        dbname=os.environ["DB_NAME"],
        password=secret("DB_PASSWORD"),
    )


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        with connect() as connection:
            (user,) = connection.execute("select current_user").fetchone()
        token = Path("/run/secrets/api_token").read_text()
        body = f"{user} knows a token of {len(token)} letters".encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", 3000), Page).serve_forever()
