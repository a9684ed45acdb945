import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = os.environ["NAME"]
PEERS = {"left": "right", "right": "left"}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        text = NAME
        if self.path == "/" and NAME in PEERS:
            with urllib.request.urlopen(f"http://{PEERS[NAME]}:8000/name") as answer:
                text += " and " + answer.read().decode()
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


print(f"{NAME} listens on port 8000")
ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
