"""Nothing is spent by accident: who answers in an e2e_llm run is a person's choice."""

import pytest

from stackproof.errors import Refused
from stackproof.settings.llm_choice import MODES, LlmChoice
from stackproof_gateway.options import MODES as GATEWAY_MODES
from stackproof_gateway.settings import options, parser

KEY = {"GATEWAY_OPENAI_KEY": "sk-real"}


def test_without_a_choice_the_modes_are_explained():
    with pytest.raises(Refused, match=r"(?s)choose who answers.*--llm fake.*--llm live"):
        LlmChoice().environment(KEY)


@pytest.fixture
def recorded(tmp_path):
    (tmp_path / "one.yaml").touch()
    return tmp_path


def test_what_spends_nothing_needs_neither_key_nor_budget(recorded):
    assert LlmChoice("fake").environment({}) == {"GATEWAY_LLM": "fake"}
    assert LlmChoice("replay", cassettes=recorded).environment({}) == {
        "GATEWAY_LLM": "replay",
        "GATEWAY_CASSETTES": str(recorded),
    }


@pytest.mark.parametrize("mode", ["record", "live", "check"])
def test_what_spends_needs_a_budget_and_a_key(mode, recorded):
    with pytest.raises(Refused, match="needs a budget"):
        LlmChoice(mode).environment(KEY)
    with pytest.raises(Refused, match="'much'"):
        LlmChoice(mode, "much").environment(KEY)
    with pytest.raises(Refused, match="needs its key"):
        LlmChoice(mode, "0.50").environment({})
    told = LlmChoice(mode, "$0.50", recorded, recorded).environment(KEY)
    assert told["GATEWAY_BUDGET_USD"] == "0.50"
    assert told["GATEWAY_LEDGER_FOLDER"] == str(recorded)


@pytest.mark.parametrize("mode", ["replay", "check"])
def test_what_needs_recordings_says_where_there_are_none(mode, tmp_path):
    with pytest.raises(Refused, match=rf"none in {tmp_path}(?s:.*)--llm record"):
        LlmChoice(mode, "0.50", tmp_path).environment(KEY)


def test_the_gateway_understands_what_it_is_told(tmp_path):
    environment = {**KEY, **LlmChoice("record", "0.50", tmp_path).environment(KEY)}
    told = options(parser(environment).parse_args([]), environment)
    assert (told.llm, told.cassettes, str(told.budget_usd)) == ("record", tmp_path, "0.50")
    assert told.openai_key == "sk-real"
    assert MODES == GATEWAY_MODES


def test_the_command_line_of_the_gateway_beats_its_environment():
    environment = {"GATEWAY_LLM": "record", "GATEWAY_STRICT_NAMESPACES": "1"}
    told = options(parser(environment).parse_args(["--llm", "fake"]), environment)
    assert (told.llm, told.strict_namespaces) == ("fake", True)
