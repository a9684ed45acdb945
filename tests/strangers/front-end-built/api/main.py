from fastapi import FastAPI

app = FastAPI()


@app.get("/words")
def words():
    return ["built", "and", "served"]
