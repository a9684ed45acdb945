"""The price table against the list that LiteLLM ships, which it was taken from."""

import litellm
import pytest

from stackproof_gateway.provider.prices import load_prices

TABLE = load_prices().models


@pytest.mark.parametrize("model", sorted(TABLE))
def test_no_model_is_cheaper_or_shorter_than_the_list_says(model):
    listed, price = litellm.model_cost[model], TABLE[model]
    tiers = ("", "_above_100k_tokens", "_above_200k_tokens", "_above_272k_tokens")
    for kind, ours in (("input", price.input), ("output", price.output)):
        highest = max(listed.get(f"{kind}_cost_per_token{tier}") or 0 for tier in tiers)
        assert float(ours) == pytest.approx(highest * 10**6)
    if price.max_output is not None:
        assert price.max_output == listed["max_output_tokens"]
        assert price.context >= listed["max_input_tokens"]


@pytest.mark.parametrize("model", sorted(name for name in TABLE if "claude" not in name))
def test_models_that_bill_writes_to_the_cache_are_marked(model):
    assert TABLE[model].writes_cache == (
        "cache_creation_input_token_cost" in litellm.model_cost[model]
    )
