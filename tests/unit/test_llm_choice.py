"""Nothing is spent by accident: who answers in an e2e_llm run is a person's choice."""

import pytest

from stackproof.errors import Refused
from stackproof.gateway.options import MODES as GATEWAY_MODES
from stackproof.gateway.settings import options, parser
from stackproof.llm_choice import MODES, LlmChoice

KEY = {"GATEWAY_OPENAI_KEY": "sk-real"}


def test_without_a_choice_the_modes_are_explained():
    with pytest.raises(Refused, match=r"(?s)does not choose by itself.*--llm fake.*--llm live"):
        LlmChoice().environment(KEY)


@pytest.mark.parametrize("mode", ["fake", "replay"])
def test_what_spends_nothing_needs_neither_key_nor_budget(mode):
    assert LlmChoice(mode, cassettes="c").environment({}) == {
        "GATEWAY_LLM": mode,
        "GATEWAY_CASSETTES": "c",
    }


@pytest.mark.parametrize("mode", ["record", "live"])
def test_what_spends_needs_a_budget_and_a_key(mode):
    with pytest.raises(Refused, match="needs a budget"):
        LlmChoice(mode).environment(KEY)
    with pytest.raises(Refused, match="'much'"):
        LlmChoice(mode, "much").environment(KEY)
    with pytest.raises(Refused, match="needs its key"):
        LlmChoice(mode, "0.50").environment({})
    assert LlmChoice(mode, "$0.50").environment(KEY)["GATEWAY_BUDGET_USD"] == "0.50"


def test_the_gateway_understands_what_it_is_told():
    environment = {**KEY, **LlmChoice("record", "0.50", "folder").environment(KEY)}
    told = options(parser(environment).parse_args([]), environment)
    assert (told.llm, str(told.cassettes), str(told.budget_usd)) == ("record", "folder", "0.50")
    assert told.openai_key == "sk-real"
    assert MODES == GATEWAY_MODES


def test_the_command_line_of_the_gateway_beats_its_environment():
    environment = {"GATEWAY_LLM": "record", "GATEWAY_STRICT_NAMESPACES": "1"}
    told = options(parser(environment).parse_args(["--llm", "fake"]), environment)
    assert (told.llm, told.strict_namespaces) == ("fake", True)
