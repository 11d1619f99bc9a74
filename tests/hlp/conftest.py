"""Tokenizers with the sentinels of real families, trained on a few lines, and models small enough for a test."""

from __future__ import annotations

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from paperworks.hlp import FIM_SCHEMES
from paperworks.lab import corpus, tiny_lm

QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


PRE_TOKENIZERS = {
    "starcoder2": pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    ),
    "santacoder": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "deepseek-coder": pre_tokenizers.Sequence(
        [
            split(r"[\r\n]"),
            split(r"\s?\p{L}+"),
            split(r"\s?\p{P}+"),
            split(r"[一-龥ࠀ-一가-퟿]+"),
            pre_tokenizers.Digits(individual_digits=True),
            BYTES,
        ]
    ),
    "qwen2.5-coder": pre_tokenizers.Sequence([split(QWEN), BYTES]),
    "codellama": pre_tokenizers.Sequence([split(tiny_lm.PIECES), BYTES]),
    "codestral": pre_tokenizers.Sequence([split(r"\p{N}{1,3}|\s+(?!\S)|[^\s\p{N}]+|\s+"), BYTES]),
}


@pytest.fixture(scope="session")
def sources():
    """A few files of the standard library, and what they lack."""
    library = corpus.standard_library()
    texts = [library.text(file) for file in library.split("validation")]
    odd = 'é = "ünïcödé 漢字 𝒳"\r\n\tx = 123456789012345678\r\n   \n \n  y\t \n' * 4 + "<fim_prefix>a<|endoftext|> b"
    return [*[text for text in texts if 500 < len(text) < 40000][:8], odd]


@pytest.fixture(scope="session")
def tokenizers(sources):
    """A transformers tokenizer a scheme, each with its family's way of cutting text into pieces."""
    made = {}
    for name, sentinels in FIM_SCHEMES.items():
        spelled = (sentinels.prefix, sentinels.suffix, sentinels.middle, sentinels.end, *sentinels.stops, "<s>")
        backend = Tokenizer(models.BPE())
        backend.pre_tokenizer, backend.decoder = PRE_TOKENIZERS[name], decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=700,
            special_tokens=[token for token in spelled if token],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        backend.train_from_iterator(sources[:4], trainer)
        made[name] = PreTrainedTokenizerFast(
            tokenizer_object=backend, bos_token="<s>", eos_token=sentinels.end, pad_token=sentinels.end
        )
    return made


TRAINING = {
    "per_device_train_batch_size": 8,
    "learning_rate": 1e-2,
    "lr_scheduler_type": "constant",
    "logging_steps": 1,
    "report_to": [],
    "use_cpu": True,
    "remove_unused_columns": False,
    "disable_tqdm": True,
    "save_strategy": "no",
    "max_grad_norm": 0.0,
    "optim": "sgd",
}
"""Arguments of a training that is one plain gradient step a batch."""
