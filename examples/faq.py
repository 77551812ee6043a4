"""A FAQ that knows when to be silent, and what people ask in vain."""

import nearsense as ns

faq = ns.FAQ(
    [
        {
            "question": "How do I return a product?",
            "phrasings": ["I want to send an item back", "returns"],
            "answer": "Within 30 days, with a label from our support.",
        },
        {"question": "How long does shipping take?", "answer": "3 to 5 business days."},
        {"question": "What payment methods do you accept?", "answer": "Cards, PayPal and bank transfer."},
    ]
)
print(faq.threshold)
asked = ["When will my package arrive?", "Do you sell gift cards?", "Can I buy a gift card?"]
for answer in faq.answer_many(asked):
    print(answer.question, "->", answer.text or answer.reason)
for gap in faq.gaps():
    print(gap)
