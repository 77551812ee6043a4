"""The shop's FAQ of the tutorials: its answers, and what may stand in it word for word nobody knows."""

from __future__ import annotations

ANSWERS = {
    "return": "You can return any product within 30 days. Ask our support for a return label.",
    "shipping": "Standard shipping takes 3 to 5 business days, express 1 to 2.",
    "payment": "We accept credit cards, PayPal and bank transfer.",
    "warranty": "All products come with a warranty of one year.",
    "track": "You get an email with a tracking number as soon as your order ships.",
}
WORDINGS = [
    [
        "How do I return a product?",
        "How long does shipping take?",
        "What payment methods do you accept?",
        "Does the product have a warranty?",
        "How can I track my order?",
    ],
    [
        "How do I return an order?",
        "How long will shipping take?",
        "Which payment methods can I use?",
        "Is there a warranty on the product?",
        "How do I track my shipment?",
    ],
    [
        "How do I send a product back?",
        "How long does delivery take?",
        "What forms of payment do you accept?",
        "Do your products come with a warranty?",
        "Where can I track my order?",
    ],
]
ASKED = {
    "I want to send an item back": "return",
    "When will my package arrive?": "shipping",
    "Do you accept bank transfers?": "payment",
    "I need the tracking code": "track",
}
STRANGERS = [
    "What is the capital of France?",
    "Do you sell gift cards?",
    "How do I reset my password?",
    "Tell me a joke",
    "I want to talk to a human",
    "What's the weather like today?",
    "Are you hiring?",
    "Where are your stores located?",
    "What are your opening hours?",
    "Can I change my email address?",
    "How do I delete my account?",
    "Do you have a discount code?",
    "Is the product vegan?",
    "What is the meaning of life?",
    "Do you have this in size M?",
    "How do I cook pasta?",
]


def shop(questions: list[str], answers: bool = True) -> list[dict[str, str]]:
    return [
        {"id": id_, "question": question, **({"answer": answer} if answers else {})}
        for question, (id_, answer) in zip(questions, ANSWERS.items(), strict=True)
    ]
