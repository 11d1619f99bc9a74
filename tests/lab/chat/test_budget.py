"""What may be spent: checked before, charged after, shared, and never exceeded by more than one answer."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest

from paperworks.lab.chat import (
    Budget,
    BudgetExceeded,
    Chat,
    ChatError,
    Price,
    Reply,
    Sampling,
    Scripted,
    Usage,
    user,
)
from paperworks.lab.chat.reply import largest_usage
from paperworks.lab.chat.request import Request

pytestmark = pytest.mark.anyio


async def others_go_on(turns: int) -> None:
    """Let the other tasks of the loop take that many turns."""
    for _ in range(turns):
        await asyncio.sleep(0)


def costing(prompt: int, completion: int) -> Reply:
    return Reply(pieces=("Yes.",), usage=Usage(prompt_tokens=prompt, completion_tokens=completion))


async def test_the_account_adds_up():
    prices = {"scripted": Price(prompt=2.0, completion=10.0)}
    chat = Chat(Scripted([costing(1000, 100), costing(500, 50)]), budget=Budget(prices=prices))
    await chat.ask("Why?")
    await chat.ask("How?")
    spent = chat.budget.spent
    assert (spent.calls, spent.usage.prompt_tokens, spent.usage.completion_tokens) == (2, 1500, 150)
    assert spent.money == pytest.approx(1500 * 2e-6 + 150 * 10e-6)
    assert (spent.unpriced, spent.usage.estimated) == (0, False)


async def test_tokens_without_a_price_are_counted_as_such():
    chat = Chat(Scripted([costing(10, 5)]), budget=Budget(prices={"other": Price(prompt=1, completion=1)}))
    await chat.ask("Why?")
    assert (chat.budget.spent.unpriced, chat.budget.spent.money) == (15, 0.0)


async def test_one_guess_makes_the_sum_a_guess():
    chat = Chat(Scripted([costing(10, 5), "An answer that nobody counted."]))
    await chat.ask("Why?")
    assert not chat.budget.spent.usage.estimated
    await chat.ask("Why?")
    assert chat.budget.spent.usage.estimated


async def test_a_budget_that_is_spent_asks_nothing_more():
    chat = Chat(Scripted([costing(60, 39), costing(50, 1), costing(1, 1)]), budget=Budget(tokens=100))
    await chat.ask("Why?")
    await chat.ask("Why?")  # a token was left, and the answer may exceed it
    with pytest.raises(BudgetExceeded, match=r"the budget of 100 tokens is spent \(150 used\)"):
        await chat.ask("Why?")
    assert len(chat.backend.asked) == 2


async def test_a_budget_in_money():
    budget = Budget(money=0.01, prices={"scripted": Price(prompt=10, completion=10)})
    chat = Chat(Scripted([costing(500, 500), costing(1, 1)]), budget=budget)
    await chat.ask("Why?")
    with pytest.raises(BudgetExceeded, match=r"the budget of 0.01 is spent \(0.01 used\)"):
        await chat.ask("Why?")


async def test_a_limit_in_money_needs_the_price():
    chat = Chat(Scripted(["Yes."]), budget=Budget(money=1, prices={"b": Price(prompt=1, completion=1)}))
    with pytest.raises(ValueError, match="needs a price for 'scripted'; prices are there for: b"):
        await chat.ask("Why?")
    assert chat.backend.asked == []


class Slow:
    """Answers of random cost below their limit, which arrive in random order; knows how much it has asked for."""

    takes_schema = False
    model = "slow"

    def __init__(self, seed: int, over: int = 0) -> None:
        self.random = random.Random(seed)
        self.over = over
        self.at_once = self.most_at_once = 0
        self.costs: list[int] = []

    def identity(self):
        return {}

    async def complete(self, request: Request) -> Reply:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await others_go_on(self.random.randrange(8))
        self.at_once -= 1
        largest = largest_usage(request)
        completion = 500 if largest is None else self.random.randint(1, largest.completion_tokens)
        self.costs.append(20 + completion)
        return costing(20, completion)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("max_tokens", [100, None])
async def test_many_tasks_exceed_it_by_no_more_than_one_answer(seed, max_tokens):
    budget = Budget(tokens=3000, prices={"slow": Price(prompt=1, completion=1)})
    backends = [Slow(seed), Slow(seed + 1000)]
    chats = [Chat(backend, budget=budget, concurrency=6) for backend in backends]
    sampling = Sampling(max_tokens=max_tokens)
    asking = [chat.ask("Why is it so?", sampling) for chat in chats for _ in range(60)]
    results = await asyncio.gather(*asking, return_exceptions=True)
    refused = [result for result in results if isinstance(result, BudgetExceeded)]
    costs = [cost for backend in backends for cost in backend.costs]
    assert len(refused) + len(costs) == 120
    assert refused
    assert 3000 <= budget.spent.usage.total == sum(costs) < 3000 + max(costs)
    at_once = max(backend.most_at_once for backend in backends)
    assert (at_once > 1) == (max_tokens is not None), "what is bounded runs side by side, what is not runs alone"


async def test_without_limits_nothing_waits():
    backend = Slow(0)
    await Chat(backend, concurrency=5).ask_all(["Why?"] * 20)
    assert backend.most_at_once == 5


async def test_what_waits_for_room_is_refused_when_none_is_left():
    first_may_end = asyncio.Event()

    class Held(Slow):
        async def complete(self, request):
            await first_may_end.wait()
            return costing(100, 100)

    chat = Chat(Held(0), budget=Budget(tokens=150))
    asking = [asyncio.create_task(chat.ask("Why?", Sampling(max_tokens=100))) for _ in range(3)]
    await others_go_on(5)
    first_may_end.set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(result) for result in results] == [Reply, BudgetExceeded, BudgetExceeded]


async def test_one_who_stops_waiting_leaves_no_trace():
    held = asyncio.Event()

    class Held(Slow):
        async def complete(self, request):
            await held.wait()
            return costing(10, 10)

    chat = Chat(Held(0), budget=Budget(tokens=150))
    first, second = (asyncio.create_task(chat.ask("Why?", Sampling(max_tokens=100))) for _ in range(2))
    await others_go_on(5)
    second.cancel()
    held.set()
    assert (await first).usage.total == 20
    assert (await chat.ask("Why?", Sampling(max_tokens=100))).usage.total == 20
    assert chat.budget.spent.calls == 2


async def test_threads_share_it():
    budget = Budget(tokens=1000)

    def ask() -> int:
        chat = Chat(Slow(1), budget=budget)
        results = asyncio.run(gathered(chat))
        return sum(isinstance(result, Reply) for result in results)

    async def gathered(chat: Chat):
        asking = [chat.ask("Why?", Sampling(max_tokens=50)) for _ in range(30)]
        return await asyncio.gather(*asking, return_exceptions=True)

    answered = sum(await asyncio.gather(*(asyncio.to_thread(ask) for _ in range(3))))
    assert budget.spent.calls == answered
    assert 1000 <= budget.spent.usage.total < 1000 + 70


async def test_one_who_waits_in_another_thread_is_woken():
    budget = Budget(tokens=150)
    held, near = asyncio.Event(), threading.Event()

    class Held(Slow):
        async def complete(self, request):
            await held.wait()
            return costing(10, 10)

    class Near(Slow):
        @property
        def model(self):  # is looked at just before there is a wait for room
            near.set()
            return "near"

    sampling = Sampling(max_tokens=100)
    first = asyncio.create_task(Chat(Held(0), budget=budget).ask("Why?", sampling))
    await others_go_on(5)
    second = asyncio.create_task(asyncio.to_thread(Chat(Near(0), budget=budget).blocking.ask, "Why?", sampling))
    await asyncio.to_thread(near.wait, 20)
    await asyncio.to_thread(near.wait, 20)  # once more round, in which the other thread goes to sleep
    assert not second.done()
    held.set()
    assert isinstance(await asyncio.wait_for(second, 20), Reply)
    assert (await first).usage.total == 20


async def test_a_failed_attempt_is_charged_what_it_cost():
    cost = Usage(prompt_tokens=7, estimated=True)
    chat = Chat(Scripted([ChatError("broken off", usage=cost), ChatError("refused to begin")]))
    for _ in range(2):
        with pytest.raises(ChatError):
            await chat.ask("Why?")
    assert (chat.budget.spent.calls, chat.budget.spent.usage) == (1, cost)


async def test_room_is_set_aside_for_the_bytes_of_the_prompt_and_for_images():
    request = Request(messages=(user("ä" * 50, b"GIF89a"),), sampling=Sampling(max_tokens=30))
    largest = largest_usage(request)
    assert largest is not None
    assert largest.completion_tokens == 30
    assert largest.prompt_tokens >= 100 + 1500
    assert largest_usage(Request(messages=(user("Why?"),))) is None


@pytest.mark.parametrize("wrong", [{"tokens": 0}, {"tokens": -1}, {"money": 0.0}, {"money": float("inf")}])
async def test_limits_without_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="above 0 or None"):
        Budget(**wrong)


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
async def test_prices_without_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="price"):
        Price(prompt=wrong, completion=1.0)
