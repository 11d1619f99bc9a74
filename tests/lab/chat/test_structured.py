"""Answers of a given form: held to it by the server, asked for in words, repaired once, or refused."""

from __future__ import annotations

import json
from typing import Literal

import pydantic
import pytest

from paperworks.lab.chat import Chat, ChatError, MalformedAnswer, Scripted, system, user
from paperworks.lab.chat.schema import form_of, parse

pytestmark = pytest.mark.anyio


class Judgement(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    verdict: Literal["good", "bad"]
    score: int = pydantic.Field(ge=0, le=5)


SCHEMA = {
    "type": "object",
    "properties": {"verdict": {"enum": ["good", "bad"]}},
    "required": ["verdict"],
    "additionalProperties": False,
}
GOOD = '{"verdict": "good", "score": 4}'


async def test_a_schema_is_sent_and_the_value_has_its_type(server):
    server.always = server.answer(GOOD)
    answer = await Chat(server.endpoint()).ask_for(Judgement, "How is it?")
    assert answer.value == Judgement(verdict="good", score=4)
    assert (answer.repaired, len(answer.replies)) == (False, 1)
    sent = server.asked[0].body["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"] == {"name": "answer", "schema": Judgement.model_json_schema(), "strict": True}


async def test_a_schema_that_leaves_things_open_is_not_called_strict(server):
    server.always = server.answer('{"verdict": "bad"}')
    answer = await Chat(server.endpoint()).ask_for({**SCHEMA, "required": []}, "How is it?")
    assert answer.value == {"verdict": "bad"}
    assert server.asked[0].body["response_format"]["json_schema"]["strict"] is False


async def test_an_answer_that_is_malformed_is_repaired_by_showing_what_is_wrong(server):
    server.script = [server.answer('{"verdict": "fine", "score": 9}'), server.answer(GOOD)]
    chat = Chat(server.endpoint())
    answer = await chat.ask_for(Judgement, "How is it?")
    assert (answer.value.score, answer.repaired) == (4, True)
    *before, shown, wish = server.asked[1].body["messages"]
    assert before == server.asked[0].body["messages"]
    assert shown == {"role": "assistant", "content": '{"verdict": "fine", "score": 9}'}
    assert "verdict: Input should be 'good' or 'bad'; score: Input should be less than or equal to 5" in wish["content"]
    assert json.dumps(Judgement.model_json_schema()) in wish["content"]
    assert chat.budget.spent.calls == 2


async def test_an_answer_that_is_malformed_twice_is_an_error_with_both(server):
    server.script = [server.answer("I think it is good."), server.answer('{"verdict": "good"}')]
    with pytest.raises(
        MalformedAnswer, match=r"twice: first, it holds no JSON; then, score: Field required$"
    ) as caught:
        await Chat(server.endpoint()).ask_for(Judgement, "How is it?")
    assert [reply.text for reply in caught.value.replies] == ["I think it is good.", '{"verdict": "good"}']
    assert len(server.asked) == 2


async def test_a_server_that_knows_no_schemas_is_asked_in_words_from_then_on(server):
    server.script = [server.failure(400, "response_format is not supported"), *[server.answer(GOOD)] * 2]
    chat = Chat(server.endpoint())
    assert (await chat.ask_for(Judgement, [system("Be just."), user("How is it?")])).value.score == 4
    assert (await chat.ask_for(Judgement, "And that?")).value.score == 4
    assert ["response_format" in asked.body for asked in server.asked] == [True, False, False]
    first, second = server.asked[1].body["messages"], server.asked[2].body["messages"]
    assert [message["role"] for message in first + second] == ["system", "user"] * 2
    assert first[0]["content"].startswith("Be just.\nAnswer with JSON only")
    assert '"enum": ["good", "bad"]' in second[0]["content"]


async def test_a_request_that_is_wrong_for_another_reason_is_told_as_it_was(server):
    server.script = [server.failure(400, "no such model"), server.failure(400, "no such model, still")]
    chat = Chat(server.endpoint())
    with pytest.raises(ChatError, match=r"HTTP 400: no such model$"):
        await chat.ask_for(Judgement, "How is it?")
    server.script = [server.answer(GOOD)]
    await chat.ask_for(Judgement, "How is it?")
    assert "response_format" in server.asked[-1].body, "the schema was not to blame"


async def test_a_failure_that_is_no_refusal_of_the_schema_is_raised(server):
    server.script = [server.failure(401)]
    with pytest.raises(ChatError, match="HTTP 401"):
        await Chat(server.endpoint()).ask_for(Judgement, "How is it?")
    assert len(server.asked) == 1


async def test_a_huge_malformed_answer_is_shown_in_part():
    script = Scripted(["{" * 100_000, GOOD])
    assert (await Chat(script).ask_for(Judgement, "How is it?")).value.score == 4
    assert len(script.asked[1].messages[-2].text) < 8100


async def test_a_model_that_is_not_held_to_schemas_is_asked_in_words():
    script = Scripted([GOOD])
    script.takes_schema = False
    assert (await Chat(script).ask_for(Judgement, "How is it?")).value.score == 4
    assert script.asked[0].schema is None
    assert "by this JSON schema" in script.asked[0].messages[0].text


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\n  {GOOD}\n",
        f"```json\n{GOOD}\n```",
        f"Here you are:\n```\n{GOOD}\n```\nIs it helpful?",
        f"My judgement is {GOOD}, since {{it}} is well made.",
        f'<think>{{"verdict": "bad", "score": 0}} or rather</think>\n{GOOD}',
        f"```python\nprint()\n```\n```json\n{GOOD}\n```",
        f'The form is {{"verdict": "..."}}; so: {GOOD}',
        f'At first I thought {{"verdict": "bad", "score": 1}}. But no: {GOOD} [1]',
        f'```json\n{{"verdict": "bad", "score": 1}}\n```\nor rather\n```json\n\n{GOOD}\n```',
        f"{'As shown [1, 2] and {x} ' * 90}: {GOOD}",
    ],
)
async def test_json_is_found_in_what_models_put_around_it(text):
    assert parse(text, form_of(Judgement)) == Judgement(verdict="good", score=4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it holds no JSON"),
        ("good", "it holds no JSON"),
        ('{"verdict": "good", "score": 4', "it holds no JSON"),
        ('{"verdict": "good", "score": NaN}', "it holds no JSON"),
        ("[" * 100_000, "it holds no JSON"),
        ("```json" + "\n" * 100_000, "it holds no JSON"),
        ('{"verdict": ' * 30_000, "it holds no JSON"),
        ("1" * 5000, "it holds no JSON"),
        ("[]", "the answer: Input should be an object"),
        ('<think>{"verdict": "good", "score": 1}?</think> I cannot say.', "it holds no JSON"),
        ('{"verdict": "good", "score": 4, "more": 1}', "more: Extra inputs are not permitted"),
    ],
)
async def test_what_is_wrong_is_said(text, said):
    with pytest.raises(ValueError, match=said):
        parse(text, form_of(Judgement))


async def test_a_plain_schema_says_where_the_fault_lies():
    with pytest.raises(ValueError, match="verdict: 'fine' is not one of"):
        parse('{"verdict": "fine"}', form_of(SCHEMA))
    many = {"type": "object", "required": list("abcdefgh")}
    with pytest.raises(ValueError, match=r"and 3 more$"):
        parse("{}", form_of(many))


async def test_any_type_that_pydantic_knows_will_do():
    assert parse("[[1, 2], [3, 4]]", form_of(list[tuple[int, int]])) == [(1, 2), (3, 4)]


async def test_a_schema_that_is_none_is_refused_before_anything_is_asked():
    script = Scripted(["{}"])
    with pytest.raises(ValueError, match="this is no JSON schema"):
        await Chat(script).ask_for({"type": "objekt"}, "How is it?")
    assert script.asked == []
