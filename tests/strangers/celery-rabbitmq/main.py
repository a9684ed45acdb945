from fastapi import FastAPI
from worker import shout

app = FastAPI()


@app.get("/")
def read_root():
    return {"status": "ok"}


@app.get("/shout/{text}")
def read_shout(text: str):
    return {"text": shout.delay(text).get(timeout=60)}
