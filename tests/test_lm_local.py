"""Local language models: what they say is theirs, within its constraint, the same again, and never a crash."""

from __future__ import annotations

import json
import math
import shutil
import string
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from at_hand import DEMO, other_model
from hypothesis import strategies as st
from laws import law
from small_llama import CHAT_TEMPLATE, CONTEXT, SPECIAL, build_small_llama, small_llama
from tokenizers import Tokenizer, decoders, models, normalizers

from agents.lm import (
    Completion,
    Constraint,
    Failure,
    Free,
    Grammar,
    Labels,
    LanguageModel,
    Message,
    Reply,
    Request,
)
from autointerp.lms.conversation import Conversation, well_formed
from autointerp.lms.local import LocalLM
from autointerp.lms.model_folder import digest_of, model_folder
from autointerp.lms.stepping import GrammarMask, Row
from dsl.decoding import Bounds, decoding_grammar, longest_output
from dsl.errors import InputError
from dsl.parse import parse

BOUNDS = Bounds(constructs=2, nesting=1, entries=2, string=6, word=8, phrase=2)
EXPLANATION = Grammar(decoding_grammar(BOUNDS))
ABC = Grammar('start: "a" | "b" | "c"')
PREFIXES = Labels(("A", "A2", "NONE"))


@cache
def lm() -> LocalLM:
    return LocalLM.load(small_llama(), max_batch=16)


def fresh(**options: Any) -> LocalLM:
    return LocalLM.load(small_llama(), **options)


def user(*texts: str) -> tuple[Message, ...]:
    return tuple(Message("user", text) for text in texts)


def ask(constraint: Constraint, text: str = "Hello", **sampling: Any) -> Request:
    return Request(user(text), constraint, **sampling)


def said(reply: Reply) -> Completion:
    assert isinstance(reply, Completion), reply
    return reply


def failed(reply: Reply) -> Failure:
    assert isinstance(reply, Failure), reply
    return reply


@cache
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(small_llama())


def copied(folder: Path, **changes: object) -> Path:
    """A copy of the small model whose tokeniser's settings are changed; None takes one away."""
    shutil.copytree(small_llama(), folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in settings.items() if value is not None}))
    return folder


def test_it_is_a_language_model_that_says_what_it_is() -> None:
    assert isinstance(lm(), LanguageModel)
    assert lm().name == f"hf:{small_llama()}"
    assert lm().revision.startswith(f"{digest_of(small_llama())}-float32-cpu-torch{torch.__version__}-")
    assert lm().revision.endswith("-1")
    assert lm().context_tokens == CONTEXT
    assert lm().notes == ()


# What is written


def test_every_explanation_under_the_grammar_parses_at_any_temperature_and_batch() -> None:
    requests = [
        ask(EXPLANATION, f"Feature {number}", max_tokens=longest_output(BOUNDS), temperature=temperature)
        for number, temperature in enumerate([0.0, 0.3, 0.7, 1.0, 1.5] * 8)
    ]
    texts = {said(reply).text for reply in lm().complete(requests)}
    assert len(texts) > 20
    for text in texts:
        parse(text)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_what_may_come_next_is_what_outlines_own_processor_allows() -> None:
    model = lm()
    text = said(model.complete([ask(EXPLANATION, max_tokens=longest_output(BOUNDS))])[0]).text
    theirs = model._backend.get_cfg_logits_processor(EXPLANATION.lark)
    row = Row(torch.Generator(), 1.0, 1000)
    tokenizer, matcher = model._backend.llg_tokenizer, model._matcher(EXPLANATION.lark)
    ours = GrammarMask(EXPLANATION.lark, tokenizer, [row], matcher)
    with torch.compiler.set_stance("force_eager"):
        for token in [0, *tokenizer.tokenize_str(text)]:
            if token:
                row.tokens.append(token)
            ids = torch.tensor([[0, *row.tokens]])
            assert torch.equal(ours(ids, torch.zeros(1, 2048)), theirs(ids, torch.zeros(1, 2048)))
    assert not row.broken


def test_an_explanation_that_its_tokens_do_not_end_is_a_failure_and_never_half_of_one() -> None:
    requests = [ask(EXPLANATION, max_tokens=most, seed=most, temperature=1.5) for most in range(12)]
    for request, reply in zip(requests, lm().complete(requests), strict=True):
        match reply:
            case Completion(text=text):
                parse(text)
            case Failure(kind=kind, reason=reason):
                assert kind == "cut off"
                assert f"{request.max_tokens} tokens" in reason
    assert any(isinstance(reply, Failure) for reply in lm().complete(requests))


def test_the_token_that_ends_a_text_is_not_counted_against_it() -> None:
    exact = said(lm().complete([ask(ABC, max_tokens=1)])[0])
    assert exact.text in {"a", "b", "c"}
    assert exact.completion_tokens == 2
    assert failed(lm().complete([ask(ABC, max_tokens=0)])[0]).kind == "cut off"


def test_free_text_ends_at_the_first_stop_which_is_left_out() -> None:
    stops = ("e ", "th", "\n")
    whole = lm().complete([ask(Free(), max_tokens=60, seed=seed) for seed in range(20)])
    stopped = lm().complete([ask(Free(stops), max_tokens=60, seed=seed) for seed in range(20)])
    for one, other in zip(map(said, whole), map(said, stopped), strict=True):
        end = min((one.text.find(stop) for stop in stops if stop in one.text), default=None)
        assert other.text == one.text[:end]
        assert other.completion_tokens <= one.completion_tokens
        assert other.cut == (one.cut and end is None)
    assert sum(one != other for one, other in zip(whole, stopped, strict=True)) > 5


def test_a_stop_that_many_tokens_spell_is_seen_as_soon_as_it_is_there() -> None:
    model = fresh()
    written = iter(model._label("Once there was END of it, and more and more of it"))
    force(model, lambda: next(written, 7))
    reply = said(model.complete([ask(Free((" END of",)), max_tokens=100)])[0])
    assert reply.text == "Once there was"
    assert not reply.cut
    assert reply.completion_tokens == len(model._label("Once there was END of"))


def test_free_text_that_comes_to_its_bound_is_cut_and_whole_characters() -> None:
    model = fresh()
    for most in range(1, 7):
        written = iter(model._label("ab€🙂"))  # characters of several tokens
        force(model, lambda written=written: next(written, 7))
        reply = said(model.complete([ask(Free(), max_tokens=most)])[0])
        assert reply.cut
        assert reply.completion_tokens == most
        assert "ab€🙂".startswith(reply.text)


def force(model: LocalLM, token: Callable[[], int]) -> None:
    """Make the model want one token at each step."""
    inner: Any = model._model

    def wants(_module: object, _inputs: object, output: Any) -> Any:
        output.logits[:, -1, :] = -1e4
        output.logits[:, -1, token()] = 0.0
        return output

    for hook in list(inner._forward_hooks):
        del inner._forward_hooks[hook]
    inner.register_forward_hook(wants)


@pytest.mark.parametrize("text", ["", " ", "\n", "héllo 🙂", "שלום", "\x00\x01", "a\ud800b", "日本語" * 50, "{{ x }}"])
@pytest.mark.parametrize("constraint", [Free(), ABC, PREFIXES], ids=["free", "grammar", "labels"])
def test_any_text_can_be_asked(text: str, constraint: Constraint) -> None:
    [reply] = lm().complete([ask(constraint, text, max_tokens=5)])
    assert said(reply).prompt_tokens == lm().count_tokens(user(text)) > 0


def test_a_conversation_of_nothing_is_refused_where_the_template_refuses_it() -> None:
    assert failed(lm().complete([Request((), ABC)])[0]).kind == "refused"
    assert said(LocalLM.load(DEMO / "lm").complete([Request((), ABC, max_tokens=2)])[0]).text in {"a", "b", "c"}
    assert lm().complete([]) == []


# Draws


def test_the_same_request_gets_the_same_answer_and_another_seed_or_sample_another() -> None:
    one = ask(Free(), max_tokens=20)
    others = [
        ask(Free(), max_tokens=20, seed=1),
        ask(Free(), max_tokens=20, sample=1),
        ask(Free(), "Bye", max_tokens=20),
    ]
    texts = [said(reply).text for reply in lm().complete([one, one, *others])]
    assert texts[0] == texts[1] == said(lm().complete([one])[0]).text
    assert len(set(texts)) == 4


def test_at_temperature_zero_the_seed_does_not_matter() -> None:
    replies = lm().complete([ask(EXPLANATION, max_tokens=300, temperature=0.0, seed=seed) for seed in range(5)])
    assert len({said(reply).text for reply in replies}) == 1


def test_a_longer_bound_goes_on_with_the_same_text() -> None:
    short, long = lm().complete([ask(Free(), max_tokens=8, seed=3), ask(Free(), max_tokens=16, seed=3)])
    assert said(long).text.startswith(said(short).text)


def test_nothing_is_seeded_globally() -> None:
    # `random` is left out: beartype draws from it, to choose what it checks.
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    lm().complete([ask(Free(), max_tokens=5), ask(ABC), ask(PREFIXES)])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]


def test_answers_do_not_depend_on_who_else_is_in_the_batch() -> None:
    requests = [
        ask(
            constraint,
            "word " * (number % 7) + str(number),
            max_tokens=30 if constraint == Free() else 300,
            seed=number,
        )
        for number in range(24)
        for constraint in (Free(), EXPLANATION)
    ]
    alone = [lm().complete([request])[0] for request in requests]
    together = lm().complete(requests)
    backwards = lm().complete(requests[::-1])[::-1]
    # Padding changes the last bits of a logit, so that a draw could fall otherwise; of these none does.
    assert alone == together == backwards


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_they_are_likely_among_those_allowed(temperature: float) -> None:
    model = fresh(max_batch=500)
    count = 3000
    replies = model.complete([ask(ABC, temperature=temperature, sample=sample) for sample in range(count)])
    found = Counter(said(reply).text for reply in replies)
    prompt = torch.tensor([model._conversation.ids(user("Hello"))])
    logits = model._model(prompt).logits[0, -1].double()
    likely = torch.softmax(logits[[model._label(text)[0] for text in "abc"]] / temperature, dim=0).tolist()
    for text, share in zip("abc", likely, strict=True):
        spread = math.sqrt(count * share * (1 - share))
        assert abs(found[text] - count * share) < 4 * spread + 1, (text, found, likely)


# Labels


def by_itself(model: LocalLM, text: str, label: str) -> float:
    """The log-probability of a label and the end, by one forward over both."""
    prompt, spelt = model._conversation.ids(user(text)), [*model._label(label), tokenizer().eos_token_id]
    logprobs = torch.log_softmax(model._model(torch.tensor([[*prompt, *spelt]])).logits[0].double(), dim=-1)
    return sum(logprobs[len(prompt) - 1 + place, token].item() for place, token in enumerate(spelt))


def test_labels_are_as_likely_as_their_tokens_and_the_end_after_them_whatever_the_batch() -> None:
    labels = Labels(("A", "A2", "NONE", "B", "the whole of it"))
    texts = ["", "Which?", "A much longer question, " * 20, "Is it A or A2?"]
    for text, reply in zip(texts, lm().complete([ask(labels, text) for text in texts]), strict=True):
        alone = np.array([by_itself(lm(), text, label) for label in labels.labels])
        expected = alone - np.logaddexp.reduce(alone)
        assert reply == lm().complete([ask(labels, text)])[0], "to the last bit"
        assert [label for label, _ in said(reply).logprobs] == list(labels.labels)
        np.testing.assert_allclose([value for _, value in said(reply).logprobs], expected, atol=1e-4)
        assert math.isclose(sum(math.exp(value) for _, value in said(reply).logprobs), 1, rel_tol=1e-9)


def test_one_label_is_certain() -> None:
    assert said(lm().complete([ask(Labels(("NONE",)))])[0]).logprobs == (("NONE", 0.0),)


def test_requests_with_different_labels_share_a_batch() -> None:
    replies = lm().complete([ask(Labels(("A",))), ask(PREFIXES), ask(Labels(("B", "", "1. e4")))])
    assert [len(said(reply).logprobs) for reply in replies] == [1, 3, 3]


def test_the_likeliest_label_is_chosen_at_temperature_zero_and_others_by_their_share() -> None:
    replies = lm().complete([ask(PREFIXES, temperature=0.0, seed=seed) for seed in range(3)])
    best = max(said(replies[0]).logprobs, key=lambda one: one[1])[0]
    assert {said(reply).text for reply in replies} == {best}
    hot = lm().complete([ask(PREFIXES, temperature=20.0, sample=sample) for sample in range(600)])
    weights = np.exp(np.array([value for _, value in said(hot[0]).logprobs]) / 20)
    found = Counter(said(reply).text for reply in hot)
    for label, share in zip(PREFIXES.labels, weights / weights.sum(), strict=True):
        assert abs(found[label] - 600 * share) < 4 * math.sqrt(600 * share * (1 - share))
    assert len({said(reply).logprobs for reply in hot}) == 1


# What does not fit, and what breaks


def test_a_conversation_too_long_for_the_context_is_a_failure_with_the_numbers() -> None:
    room = CONTEXT - lm().count_tokens(user("Hello"))
    fits, over = lm().complete([ask(Free((" ",)), max_tokens=room), ask(Free((" ",)), max_tokens=room + 1)])
    assert isinstance(fits, Completion)
    assert failed(over).kind == "too long"
    assert str(CONTEXT) in failed(over).reason
    assert str(room + 1) in failed(over).reason
    for constraint in (Free(), ABC, PREFIXES, Free(("\ud800",)), Labels(("\ud800",))):
        assert failed(lm().complete([ask(constraint, "pie " * CONTEXT)])[0]).kind == "too long"


def test_a_text_can_fill_the_context_to_the_last_token(tmp_path: Path) -> None:
    model = LocalLM.load(build_small_llama(tmp_path / "short", context=128))
    force(model, lambda: 70)
    room = 128 - model.count_tokens(user("Hello"))
    reply = said(model.complete([ask(Free(), max_tokens=room)])[0])
    assert reply.cut
    assert reply.completion_tokens == room


def test_rows_of_a_batch_never_run_beyond_the_context_together() -> None:
    """Positions beyond the context are an error to a model that learnt them one by one."""
    demo = LocalLM.load(DEMO / "lm")
    long = "word " * 180
    requests = [ask(Free(), long, max_tokens=20), ask(Free(), max_tokens=240), ask(Free(), long, max_tokens=1)]
    assert demo.complete(requests) == [demo.complete([request])[0] for request in requests]


def test_a_model_that_goes_on_byte_by_byte_for_as_long_as_it_can_still_ends_within_the_budget() -> None:
    model = fresh()
    vocabulary = tokenizer().get_vocab()
    single = [number for text, number in vocabulary.items() if len(text) == 1]
    inner: Any = model._model

    def reluctant(_module: object, _inputs: object, output: Any) -> Any:
        output.logits[:, -1, single] += 100
        for text in (";", '"', ")", "]", tokenizer().eos_token):
            output.logits[:, -1, vocabulary[text]] -= 300
        return output

    inner.register_forward_hook(reluctant)
    budget = longest_output(BOUNDS)
    replies = model.complete([ask(EXPLANATION, max_tokens=budget, temperature=1.5, seed=seed) for seed in range(12)])
    for reply in replies:
        parse(said(reply).text)
    plain = lm().complete([ask(EXPLANATION, max_tokens=budget, temperature=1.5, seed=seed) for seed in range(12)])
    tokens = [sum(said(reply).completion_tokens for reply in some) for some in (replies, plain)]
    assert tokens[0] > 1.3 * tokens[1]


def test_a_grammar_that_cannot_be_read_is_refused() -> None:
    reply = failed(lm().complete([ask(Grammar("start: nowhere"))])[0])
    assert reply.kind == "refused"
    assert "nowhere" in reply.reason


def test_where_memory_runs_out_the_batch_is_halved_and_answers_stay_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [ask(ABC, str(number)) for number in range(7)] + [ask(PREFIXES, str(number)) for number in range(7)]
    expected = lm().complete(requests)
    model = fresh(max_batch=7)
    short_of_memory(model, 2, monkeypatch)
    replies = model.complete(requests)
    assert [said(reply).text for reply in replies] == [said(reply).text for reply in expected]
    assert model.max_batch <= 2
    short_of_memory(model, 0, monkeypatch)
    for reply in model.complete(requests[6:8]):
        assert failed(reply).kind == "overloaded"
        assert "out of memory" in failed(reply).reason


def short_of_memory(model: LocalLM, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than so many rows fit when text is written; of none, labels do not fit either."""
    inner: Any = model._model
    generate, error = type(inner).generate, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    def limited(*, input_ids: torch.Tensor, **rest: Any) -> Any:
        if len(input_ids) > rows:
            raise error
        return generate(inner, input_ids=input_ids, **rest)

    def nothing(**_: Any) -> Any:
        raise error

    monkeypatch.setattr(inner, "generate", limited)
    if rows == 0:
        monkeypatch.setattr(inner, "forward", nothing)


def test_other_errors_of_a_model_are_not_taken_for_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fresh()

    def breaks(**_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(model._model, "generate", breaks)
    with pytest.raises(RuntimeError, match="a bug"):
        model.complete([ask(ABC)])


def test_logits_that_are_not_finite_are_a_failure_and_no_text() -> None:
    model = fresh()
    with torch.no_grad():
        model._model.lm_head.weight[model._label("a")[0]] = float("nan")
    for constraint in (Free(), ABC, Labels(("a", "b"))):
        reply = failed(model.complete([ask(constraint, max_tokens=4)])[0])
        assert reply.kind == "refused"
        assert "not finite" in reply.reason


def test_rows_above_the_tokeniser_s_are_never_drawn(tmp_path: Path) -> None:
    wide = LocalLM.load(build_small_llama(tmp_path / "wide", rows=2100))
    with torch.no_grad():
        wide._model.lm_head.weight[2048:] = wide._model.lm_head.weight[:52] * 50
    requests = [ask(constraint, max_tokens=300, seed=seed) for seed in range(4) for constraint in (Free(), EXPLANATION)]
    for reply in wide.complete(requests):
        assert said(reply).completion_tokens > 0
    for text in (said(reply).text for reply in wide.complete(requests)[1::2]):
        parse(text)


# Tokenisers and templates


def test_a_tokeniser_without_a_pad_token_gives_the_same_answers(tmp_path: Path) -> None:
    other = LocalLM.load(build_small_llama(tmp_path / "no-pad", pad=False))
    requests = [
        ask(constraint, "a " * size, max_tokens=300) for size in (1, 9) for constraint in (EXPLANATION, PREFIXES)
    ]
    assert other.complete(requests) == lm().complete(requests)


def test_a_tokeniser_that_cannot_spell_the_language_is_said_to_and_what_needs_it_fails(
    capfd: pytest.CaptureFixture[str],
) -> None:
    model = LocalLM.load(other_model())
    assert "cannot spell" in model.notes[1]
    assert all(character in model.notes[1] for character in "()[]")
    lists = Grammar('start: "the token \\"a\\"" | "words like \\"a\\" [\\"b\\"]"')
    replies = model.complete([ask(lists, max_tokens=60, temperature=3.0, seed=seed) for seed in range(20)])
    assert {reply.text for reply in replies if isinstance(reply, Completion)} == {'the token "a"'}
    for reply in replies:
        if isinstance(reply, Failure):
            assert reply.kind == "refused"
            assert "llguidance" in reply.reason
            assert "\n" not in reply.reason
    assert not capfd.readouterr().err


def test_tokens_that_hide_their_spaces_and_spell_bytes_one_by_one_say_what_the_grammar_allows(tmp_path: Path) -> None:
    """As sentencepiece makes them: a decoder drops the space before the first word, which the grammar counts."""
    pieces = [
        "<unk>",
        *SPECIAL,
        *(f"<0x{byte:02X}>" for byte in range(256)),
        *sorted(set(string.printable[:95]) - {" "}),
    ]
    spaced = [*pieces, "▁", "▁a", "on", "▁on"]
    model = models.BPE({piece: number for number, piece in enumerate(spaced)}, [("▁", "a"), ("o", "n"), ("▁", "on")])
    model.byte_fallback, model.unk_token = True, "<unk>"
    made = Tokenizer(model)
    made.add_special_tokens(list(SPECIAL))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    folder = build_small_llama(tmp_path / "pieces")
    (folder / "tokenizer.json").write_text(made.to_str())
    lm = LocalLM.load(folder)
    assert lm.notes == ()
    spaces = Grammar('start: " a🙂" | "a" | " é on"')
    replies = lm.complete([ask(spaces, "🙂 on", max_tokens=20, temperature=5.0, seed=seed) for seed in range(20)])
    assert {said(reply).text for reply in replies} == {" a🙂", "a", " é on"}
    written = lm.complete([ask(EXPLANATION, max_tokens=longest_output(BOUNDS), seed=seed) for seed in range(8)])
    for reply in written:
        parse(said(reply).text)


def test_a_model_without_a_chat_template_gets_a_plain_one_and_says_so() -> None:
    demo = LocalLM.load(DEMO / "lm")
    assert "no chat template" in demo.notes[0]
    messages = (Message("system", "Be kind."), *user("Who?"), Message("assistant", "Me."), *user("Why?"))
    rendered = demo._conversation.render(messages)
    assert rendered == "System:\nBe kind.\n\nUser:\nWho?\n\nAssistant:\nMe.\n\nUser:\nWhy?\n\nAssistant:\n"
    assert demo.count_tokens(messages) == len(demo._label(rendered))
    assert demo.context_tokens == 256
    replies = demo.complete([Request(messages, Free(), max_tokens=20), Request(messages, Labels(("A", "B")))])
    assert all(isinstance(reply, Completion) for reply in replies)
    assert failed(demo.complete([Request(messages, Free(), max_tokens=300)])[0]).kind == "too long"


def test_under_the_plain_template_an_answer_ends_where_the_next_turn_begins(tmp_path: Path) -> None:
    model = LocalLM.load(build_small_llama(tmp_path / "plain", chat_template=None))
    written = iter(model._label("It is pie.\nUser:\nAnd now?"))
    force(model, lambda: next(written, 7))
    assert said(model.complete([ask(Free(), max_tokens=50)])[0]).text == "It is pie."


def test_a_template_without_a_system_role_gets_its_text_in_the_user_s(tmp_path: Path) -> None:
    refuses = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    ignores = (
        "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}] {{ m.content }}\n{% endif %}{% endfor %}"
    )
    for number, template in enumerate([refuses + "[{{ m.role }}] {{ m.content }}\n{% endfor %}", ignores]):
        model = LocalLM.load(copied(tmp_path / str(number), chat_template=template))
        assert "without a system role" in model.notes[0]
        rendered = model._conversation.render((Message("system", "Be kind."), *user("Who?")))
        assert rendered == "[user] Be kind.\n\nWho?\n"
        assert model._conversation.render((Message("system", "Be kind."),)) == "[user] Be kind.\n"


TURNS = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('take turns') }}"
    "{% endif %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
)


def test_a_template_that_wants_turns_gets_neighbours_of_one_role_as_one_message(tmp_path: Path) -> None:
    model = LocalLM.load(copied(tmp_path / "turns", chat_template=TURNS))
    assert model._conversation.render(user("One.", "Two.")) == "[user] One.\n\nTwo.\n"
    refused = failed(model.complete([Request((Message("assistant", "I begin."),))])[0])
    assert refused.kind == "refused"
    assert "take turns" in refused.reason


def test_a_prompt_does_not_depend_on_the_day(tmp_path: Path) -> None:
    template = "{% if strftime_now is defined %}{{ strftime_now('%d %B %Y, %b %m') }}{% endif %}" + CHAT_TEMPLATE
    model = LocalLM.load(copied(tmp_path / "dated", chat_template=template))
    assert model._conversation.render(user("?")).startswith("01 January 2025, Jan 01<|begin|>")


pieces = st.sampled_from([*SPECIAL, "<|", "|>", "end", "<", "\n", "\ud800"]) | st.text(max_size=3)


@law(st.lists(pieces).map("".join), everyday=100, full=5000)
def test_special_tokens_spelt_in_a_text_stay_text(text: str) -> None:
    conversation = Conversation(tokenizer())
    special = set(tokenizer().all_special_ids)
    plain = [token for token in conversation.ids(user("x")) if token in special]
    assert [token for token in conversation.ids(user(text)) if token in special] == plain
    assert well_formed(text).replace(" ", "") in conversation.render(user(text)).replace(" ", "")


def test_what_the_folder_suggests_for_sampling_changes_no_draw_but_its_ends_end_texts(tmp_path: Path) -> None:
    folder = copied(tmp_path / "suggests")
    path = folder / "generation_config.json"
    settings = json.loads(path.read_text())
    path.write_text(
        json.dumps(settings | {"repetition_penalty": 5.0, "top_k": 1, "do_sample": True, "temperature": 0.1})
    )
    requests = [ask(Free(), max_tokens=30, seed=seed) for seed in range(3)]
    expected = lm().complete(requests)
    assert LocalLM.load(folder).complete(requests) == expected
    comma = tokenizer()("ab", add_special_tokens=False)["input_ids"][-1]
    path.write_text(json.dumps(settings | {"eos_token_id": [1, comma]}))
    model = LocalLM.load(folder)
    force(model, lambda: comma)
    assert said(model.complete(requests)[0]) == Completion("", said(expected[0]).prompt_tokens, 1)


def test_any_of_a_model_s_ends_ends_a_text_under_a_grammar(tmp_path: Path) -> None:
    folder = copied(tmp_path / "ends")
    path = folder / "generation_config.json"
    turn = tokenizer().convert_tokens_to_ids("<|user|>")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": [tokenizer().eos_token_id, turn]}))
    model = LocalLM.load(folder)
    force(model, lambda: turn)
    on_and_on = Grammar('start: "a" | "a" start')
    for seed in range(5):
        reply = said(model.complete([ask(on_and_on, max_tokens=50, seed=seed)])[0])
        assert reply.text in {"a", "aa", "aaa", "aaaa"}, "as many as its first token has"
        assert reply.completion_tokens == 2


# Loading


def test_what_cannot_be_loaded_says_so_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    pickles = copied(tmp_path / "pickles")
    (pickles / "model.safetensors").rename(pickles / "pytorch_model.bin")
    broken = copied(tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"\x10" * 100)
    unread = copied(tmp_path / "unread")
    (unread / "tokenizer.json").write_text("{")
    endless = copied(tmp_path / "endless", eos_token=None)
    for name, message in {
        str(tmp_path / "absent"): "is not a folder",
        str(tmp_path): "holds no config.json",
        str(pickles): "holds no .safetensors",
        str(broken): "does not load",
        str(unread): "does not load",
        str(endless): "no eos_token",
        "someone/something": "a hub id needs a revision",
        "someone/something@" + "0" * 40: "neither a folder nor to be had from the hub",
    }.items():
        with pytest.raises(InputError, match=message) as caught:
            LocalLM.load(name)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be put on"):
        LocalLM.load(small_llama(), device="nowhere")


def test_weights_that_are_missing_or_not_finite_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = copied(tmp_path / "poor")
    weights = load_file(folder / "model.safetensors")
    save_file({name: one for name, one in weights.items() if "o_proj" not in name}, folder / "model.safetensors")
    with pytest.raises(InputError, match="lack"):
        LocalLM.load(folder)
    weights["lm_head.weight"][3, 3] = float("nan")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(InputError, match="NaN"):
        LocalLM.load(folder)


def test_a_revision_changes_with_weights_tokeniser_and_template_and_with_nothing_else(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small_llama(), tmp_path / "one"))
    (folder / "README.md").write_text("hello")
    assert digest_of(folder) == digest_of(small_llama())
    found = {digest_of(folder)}
    for name in ("model.safetensors", "tokenizer.json", "config.json", "chat_template.jinja"):
        path = folder / name
        content = bytearray(path.read_bytes() if path.exists() else b"x")
        content[-1] ^= 1
        path.write_bytes(bytes(content))
        found.add(digest_of(folder))
    assert len(found) == 5


def test_a_digest_is_kept_for_as_long_as_the_file_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    monkeypatch.setenv("AUTOINTERP_CACHE", str(tmp_path / "cache"))
    read: list[object] = []
    whole = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, kind: read.append(file) or whole(file, kind))
    first = digest_of(small_llama())
    once = len(read)
    assert once > 0
    assert digest_of(small_llama()) == first
    assert len(read) == once
    for kept in (tmp_path / "cache").rglob("*.json"):
        kept.write_text("{")
    assert digest_of(small_llama()) == first


def test_a_folder_whose_name_holds_an_at_sign_is_a_folder(tmp_path: Path) -> None:
    folder = copied(tmp_path / "one@two")
    assert model_folder(folder) == folder


@pytest.mark.gpu
def test_on_a_gpu_explanations_parse_draws_repeat_and_labels_are_about_as_likely() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    gpu = LocalLM.load(small_llama(), device="cuda")
    assert gpu.revision != lm().revision
    requests = [ask(EXPLANATION, max_tokens=longest_output(BOUNDS), seed=seed) for seed in range(32)]
    replies = gpu.complete(requests)
    for reply in replies:
        parse(said(reply).text)
    assert gpu.complete(requests) == replies
    exact = LocalLM.load(small_llama(), device="cuda", dtype=torch.float32)
    [one], [other] = exact.complete([ask(PREFIXES)]), lm().complete([ask(PREFIXES)])
    np.testing.assert_allclose(
        [value for _, value in said(one).logprobs], [value for _, value in said(other).logprobs], atol=1e-2
    )
