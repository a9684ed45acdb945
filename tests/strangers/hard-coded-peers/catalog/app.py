from flask import Flask, jsonify
from redis import Redis

app = Flask(__name__)
cache = Redis(host="redis", port=6379, decode_responses=True)


@app.route("/items")
def items():
    cache.sadd("items", "bread", "milk")
    return jsonify(sorted(cache.smembers("items")))


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=5000)
