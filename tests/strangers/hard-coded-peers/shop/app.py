import requests
from flask import Flask, jsonify

app = Flask(__name__)

CATALOG = "http://catalog:5000/items"
PRICES = "http://prices:5000/prices"


@app.route("/")
def index():
    items = requests.get(CATALOG, timeout=10).json()
    prices = requests.get(PRICES, timeout=10).json()
    return jsonify({item: prices[item] for item in items})


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=8080)
