from flask import Flask, jsonify

app = Flask(__name__)


@app.route("/prices")
def prices():
    return jsonify(bread=310, milk=120)


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=5000)
