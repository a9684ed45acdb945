from flask import Flask, request

app = Flask(__name__)


@app.get("/health")
def health():
    return "ok"


@app.get("/notes")
def notes():
    return {"notes": ["buy milk"], "for": request.headers.get("X-Forwarded-For", "")}
