"""Log probabilities in Gemini's form.

Source: Gemini API reference, "LogprobsResult"; types of google-genai 3.6.
"""

from __future__ import annotations

from typing import Any

from stackproof_gateway.logprobs import logprobs_of
from stackproof_gateway.replies import Completion, pieces


def likelihoods(completion: Completion, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """What a candidate tells of how likely its text was; nothing if the request does not ask.

    Args:
        completion: The answer.
        parts: Parts of the candidate.
    """
    config = completion.prompt.body.get("generationConfig") or {}
    said = [part["text"] for part in parts if "text" in part and not part.get("thought")]
    tokens = [token for text in said for token in pieces(text)]
    if not config.get("responseLogprobs") or not tokens:
        return {}
    found = logprobs_of(tokens, config.get("logprobs") or 0)
    chosen = [_candidate(entry) for entry in found]
    top = [{"candidates": [_candidate(other) for other in entry["top_logprobs"]]}
           for entry in found]  # fmt: skip
    average = sum(entry["logprob"] for entry in found) / len(found)
    result = {"topCandidates": top, "chosenCandidates": chosen}
    return {"avgLogprobs": round(average, 6), "logprobsResult": result}


def _candidate(entry: dict[str, Any]) -> dict[str, Any]:
    return {"token": entry["token"], "logProbability": entry["logprob"]}
