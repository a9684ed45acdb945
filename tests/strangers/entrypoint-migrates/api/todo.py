import os

from flask import Flask
from sqlalchemy import create_engine, text

app = Flask(__name__)
engine = create_engine(os.environ["DATABASE_URL"])


@app.route("/")
def index():
    with engine.begin() as connection:
        rows = connection.execute(text("select title from task order by id")).scalars()
        return {"tasks": list(rows)}
