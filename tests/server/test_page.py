"""The page in a real browser before a real server: each state, by mouse and keys, asking nobody else."""

from __future__ import annotations

import json
from urllib.parse import quote_plus

import pytest

import nearsense as ns
from browsers import browser
from server.serving import make_drifting
from server.visits import ARABIC, DOCUMENTS, FAQ, HEBREW, ONERROR, SCRIPT, Visit, fetched, open_shop, running

pytestmark = pytest.mark.filterwarnings("default")  # the server's own filter does not outlive a test of pytest's

VIEWS = ("search", "compare", "faq", "unanswered", "duplicates", "map", "documents", "health")


@pytest.fixture(scope="module")
def shop(tmp_path_factory, encoder):
    with open_shop(tmp_path_factory.mktemp("shop"), encoder) as found:
        yield found


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    with browser(tmp_path_factory) as found:
        yield found


@pytest.fixture
def visit(context, shop):
    """Opens the page; at the end all that was opened asked nobody else, and complained of nothing."""
    opened = []

    def visit(where="", **how):
        opened.append(Visit(context, how.pop("address", shop.address), where, **how))
        return opened[-1]

    yield visit
    context.set_offline(False)
    for each in opened:
        each.close()


def collection_of(shop, name, documents, encoder):
    """A collection of its own for a test that changes it."""
    with ns.open(shop.folder / f"{name}.nearsense", encoder) as made:
        if documents:
            made.add(documents)
    return shop.service.add_collection(shop.folder / f"{name}.nearsense")


# -- searching


def test_results_come_while_one_types_each_with_its_probability_interval_and_score(visit, shop):
    sheet = visit("#/search?collection=support")
    sheet.page.locator("#asked").press_sequentially("my parcel is late", delay=5)
    sheet.wait(".result")
    sheet.until("document.querySelectorAll('.result').length === 10")
    shown = {each.get_attribute("data-id"): each for each in sheet.page.locator(".result").all()}
    for hit in shop.service.collection("support").search("my parcel is late"):
        item = shown[hit.id]
        assert item.locator(".chip.n").inner_text() == f"score {hit.score:.3f}"
        low, high = (round(100 * each) for each in hit.interval)
        assert f"between {low} to {high} %" in item.locator(".meter").get_attribute("aria-label")
        assert item.locator(".text").inner_text() == hit.text
    assert "q=my+parcel+is+late" in sheet.page.url


def test_what_differs_is_named_beside_a_result(visit):
    sheet = visit("#/search?collection=support&q=How+do+I+enable+two-factor+login%3F")
    sheet.wait(".result")
    other = sheet.page.locator('[data-id="T-4"]')
    assert "enable → disable" in other.locator(".differs").inner_text()
    assert sheet.page.locator('[data-id="T-3"] .differs').count() == 0


def test_why_lights_the_words_that_carry_a_result(visit, encoder):
    sheet = visit("#/search?collection=support&q=parcel+late")
    item = sheet.wait('[data-id="T-5"]')
    item.query_selector(".why-button").click()
    sheet.wait('[data-id="T-5"] .lit mark')
    marks = sheet.page.locator('[data-id="T-5"] .lit mark')
    lit = {
        each.inner_text(): float(each.evaluate("each => each.style.getPropertyValue('--share')"))
        for each in marks.all()
    }
    truth = ns.explain("parcel late", DOCUMENTS[4][1], encoder=encoder).words_b
    assert [each.text for each in truth] == marks.all_inner_texts()
    assert max(lit, key=lit.get) == max(truth, key=lambda word: abs(word.contribution)).text
    sheet.page.click('[data-id="T-5"] .why-button')
    assert marks.count() == 0


def test_a_filter_leaves_what_fits_and_is_taken_from_a_results_field(visit):
    sheet = visit("#/search?collection=support&q=my+order")
    sheet.wait(".result")
    sheet.page.click("#narrowing")
    sheet.page.select_option(".filter >> nth=0 >> select >> nth=0", "year")
    sheet.page.select_option(".filter >> nth=0 >> select >> nth=1", "<=")
    sheet.page.fill(".filter input", "2023")
    sheet.until("document.querySelectorAll('.result').length === 2")
    assert {each.get_attribute("data-id") for each in sheet.page.locator(".result").all()} == {"T-7", "T-10"}
    sheet.page.reload()
    sheet.until("document.querySelectorAll('.result').length === 2")
    sheet.page.fill(".filter input", "1999")
    sheet.wait("text=No text passes the filter")
    sheet.page.click("text=Remove the filter")
    sheet.until("document.querySelectorAll('.result').length === 10")


def test_more_like_one_leaves_it_out_and_leads_back(visit):
    sheet = visit("#/search?collection=support&q=subscription")
    sheet.wait('[data-id="T-13"]')
    sheet.page.locator('[data-id="T-13"]').get_by_text("More like this").click()
    sheet.wait("text=More like T-13")
    sheet.until("!document.querySelector('[data-id=\"T-13\"]')")
    assert sheet.page.locator(".result").first.get_attribute("data-id") == "T-12"
    sheet.page.click("text=Back to the search")
    sheet.wait('[data-id="T-13"]')


def test_the_page_is_used_with_keys_alone(visit):
    sheet = visit("#/compare")
    sheet.wait("#text-a")
    sheet.page.evaluate("document.activeElement.blur()")
    for _ in range(20):
        sheet.press("Tab")
        if sheet.focused() == "to-search":
            break
    sheet.press("Enter")
    sheet.wait("#asked")
    sheet.page.focus("main")
    sheet.press("/")
    assert sheet.focused() == "asked"
    sheet.page.keyboard.type("disable two-factor login")
    sheet.wait('.result[data-id="T-4"]')
    sheet.until("!document.querySelector('.results.old')")
    order = [each.get_attribute("data-id") for each in sheet.page.locator(".result").all()]
    here = "document.activeElement.dataset.id"
    sheet.press("ArrowDown")
    assert sheet.page.evaluate(here) == order[0]
    sheet.press("j", "ArrowDown", "k")
    assert sheet.page.evaluate(here) == order[1]
    sheet.press("w")
    sheet.wait(f'.result[data-id="{order[1]}"] .lit mark')
    sheet.press("ArrowUp", "ArrowUp")
    assert sheet.focused() == "asked"
    sheet.press("Escape")
    sheet.wait("text=texts to search")


def test_screen_readers_hear_what_was_found(visit):
    sheet = visit("#/search?collection=support&q=freezing+dashboard")
    sheet.wait(".result")
    sheet.until("document.getElementById('live').textContent.includes('My dashboard freezes')")
    sheet.page.fill("#asked", "")
    sheet.page.locator("label", has_text="Words").click()
    sheet.page.fill("#asked", "xylophone")
    sheet.wait("text=No text has these words")
    assert "Nothing found" in sheet.page.evaluate("document.getElementById('live').textContent")


# -- states


def test_what_is_not_there_yet_is_said_with_what_to_do(visit, shop, encoder):
    collection_of(shop, "hollow", [], encoder)
    sheet = visit("#/search?collection=hollow")
    assert "holds no text" in sheet.text("main")
    sheet.page.click("text=Add documents")
    sheet.wait("text=Nothing here yet")
    sheet.wait("#written:focus")
    sheet.go("#/map?collection=hollow")
    sheet.wait("text=Too few texts for a map")
    sheet.go("#/duplicates?collection=hollow")
    sheet.wait("text=No duplicates")
    sheet.go("#/compare")
    sheet.wait("text=Two texts, please")


def test_while_the_server_works_the_page_says_so(visit):
    sheet = visit("#/search?collection=support")
    held = []
    sheet.page.route("**/v1/unanswered*", lambda route: held.append(route))
    sheet.page.route("**/v1/faqs/*/unanswered*", lambda route: held.append(route))
    sheet.page.click("#to-unanswered")
    sheet.wait('[data-state="loading"]')
    assert "Grouping questions" in sheet.page.locator('[data-state="loading"]').inner_text()
    for route in held:
        route.continue_()
    sheet.wait('[data-state="loading"]', state="detached")


def test_a_fault_of_the_server_is_told_and_tried_again(visit, shop, monkeypatch):
    sheet = visit("#/search?collection=support", refused=(500,))
    room = shop.service.collection("support")
    monkeypatch.setattr(type(room), "search_many", lambda *_, **__: 1 / 0)
    sheet.page.fill("#asked", "parcel")
    sheet.wait('[data-state="broken"]')
    assert "ZeroDivision" not in sheet.text("main")
    monkeypatch.undo()
    sheet.page.click("text=Try again")
    sheet.wait(".result")


def test_what_the_server_refuses_is_told_in_its_words(visit):
    sheet = visit("#/search?collection=nowhere&q=parcel", refused=(415, 422))
    sheet.wait(".result")  # a collection that is not there any more: the first one
    sheet.go("#/documents?collection=support")
    sheet.wait("#documents li")
    sheet.page.click("#open-add")
    photo = {"name": "photo.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n" + bytes(200)}
    sheet.page.set_input_files("#file", photo)
    sheet.wait('#work [data-state="wrong"]')
    assert "hoto.png" in sheet.text("#work")


def test_offline_keeps_what_was_typed_and_goes_on_by_itself(visit, context):
    sheet = visit("#/search?collection=support", refused=("offline",))
    sheet.wait("#asked")
    context.set_offline(True)
    sheet.page.fill("#asked", "my parcel is late")
    sheet.wait('[data-state="offline"]')
    assert sheet.text("#state-text") == "Offline"
    assert sheet.page.input_value("#asked") == "my parcel is late"
    context.set_offline(False)
    sheet.wait(".result")
    assert sheet.text("#state-text") == "Ready"


def test_a_busy_server_is_asked_again_by_itself_after_the_time_it_names(visit, shop):
    sheet = visit("#/search?collection=support", refused=(429,))
    pool = shop.service.searches
    before, pool._busy = pool._busy, pool._most
    try:
        sheet.page.fill("#asked", "my parcel is late")
        sheet.wait('[data-state="busy"]')
        assert "by itself in" in sheet.text('[data-state="busy"] button')
    finally:
        pool._busy = before
    sheet.wait(".result", timeout=15_000)


def test_a_server_with_keys_asks_for_one_and_says_what_a_reading_one_may_not(visit, shop, tmp_path, encoder):
    from dataclasses import replace

    from nearsense.kinds import Scope
    from nearsense.server.app import create_app
    from nearsense.server.keys import add_key

    secret = add_key(tmp_path / "keys.txt", "page", Scope.READ)
    settings = replace(shop.settings, key_file=tmp_path / "keys.txt")
    with running(create_app(shop.service, settings)) as address:
        sheet = visit("", address=address, refused=(401, 403))
        sheet.wait('[data-state="key"]')
        sheet.page.fill('[aria-label="Key"]', "wrong")
        sheet.press("Enter")
        sheet.wait('[data-state="key"]')
        sheet.page.fill('[aria-label="Key"]', secret)
        sheet.press("Enter")
        sheet.wait("#asked")
        assert secret not in sheet.page.url
        sheet.go("#/documents?collection=support")
        sheet.wait("#documents li")
        sheet.page.click("#open-add")
        sheet.page.fill("#written", "may not be kept")
        sheet.page.click("#add")
        sheet.wait('[data-state="scope"]')
        assert len(shop.service.collection("support")) == len(DOCUMENTS)


# -- comparing, and the FAQ


def test_two_texts_are_compared_while_one_types(visit, encoder):
    sheet = visit("#/compare")
    a, b = "I was charged 15 dollars.", "I was charged 51 dollars."
    sheet.page.fill("#text-a", a)
    sheet.page.fill("#text-b", b)
    sheet.wait("#verdict")
    truth = ns.compare(a, b, encoder=encoder)
    assert sheet.text("#verdict").lower() == truth.reading.value
    assert (
        sheet.text(".sure.large b").strip("<> %") == f"{100 * truth.probability:.0f}" or truth.probability < 0.01
    )
    assert all(each in sheet.text(".differs") for each in truth.differs)
    assert f"Score {truth.score:.4f}" in sheet.text("#result")
    assert sheet.page.locator(".lit mark").count() >= 6
    sheet.page.hover(".sides.lit .card >> nth=0 >> mark >> nth=2")
    assert sheet.page.locator(".sides.lit .card >> nth=1 >> mark.partner").count() == 1


@pytest.mark.parametrize(
    ("question", "outcome", "seen"),
    [
        ("when does my package arrive", "answer", "Within two working days."),
        ("How tall is the Eiffel Tower?", "none", "Make an entry of it"),
    ],
)
def test_the_faq_answers_or_is_silent_beside_its_threshold(visit, shop, question, outcome, seen):
    sheet = visit("#/faq")
    sheet.page.fill("#asked", question)
    sheet.wait(f'[data-outcome="{outcome}"]')
    truth = shop.service.faq("help").answer(question)
    assert truth.outcome.value == outcome
    assert seen in sheet.text(".answer")
    mark_of = "each => Number(each.style.getPropertyValue('--mark'))"
    marks = [each.evaluate(mark_of) for each in sheet.page.locator("#scale .meter").all()]
    assert marks
    assert all(abs(mark - truth.threshold) < 1e-6 for mark in marks)
    assert f"{100 * truth.threshold:.0f} %" in sheet.text("#threshold")


def test_the_faq_asks_back_and_a_suggestion_is_asked(visit, shop):
    torn = shop.folder / "torn.jsonl"  # its own: other tests add entries
    torn.write_text("".join(json.dumps(each) + "\n" for each in FAQ), "utf-8")
    faq = shop.service.add_faq(torn)
    tried = ("two-factor login", "two factor login help", "about two-factor login", "2FA login", "login security")
    question = next(each for each in tried if faq.answer(each).outcome.value == "did you mean")
    sheet = visit("#/faq?faq=torn")
    sheet.page.fill("#asked", question)
    sheet.wait('[data-outcome="did you mean"]')
    wanted = sheet.page.locator(".suggest bdi").first.inner_text()
    sheet.page.locator(".suggest").first.click()
    sheet.wait('[data-outcome="answer"]')
    assert sheet.page.input_value("#asked") == wanted


def test_what_was_asked_in_vain_becomes_an_entry_with_a_click(visit, shop):
    faq = shop.service.faq("help")
    for each in ("Do you sell gift cards?", "can I buy a gift card", "Do you sell gift cards?"):
        assert not faq.answer(each)
    sheet = visit("#/unanswered", refused=(409, 422))  # this FAQ has no column for phrasings
    group = sheet.page.locator(".group", has_text="gift card").first
    group.wait_for()
    group.get_by_role("button", name="Make an entry").click()
    group.locator("form textarea").fill("Yes, in every shop.")
    group.locator("form button.main").click()
    sheet.wait("text=It is an entry now")
    found = shop.service.faq("help").answer("can I buy a gift card")
    assert found.text == "Yes, in every shop."
    assert "Yes, in every shop." in shop.faq.read_text("utf-8")


# -- review, map, documents, health


def test_pairs_are_reviewed_with_keys_and_the_server_keeps_and_learns_from_what_is_said(visit, shop, encoder):
    things = (
        "parcel invoice password refund dashboard ticket voucher account contract warranty receipt coupon charger "
        "phone tablet laptop camera watch printer router keyboard monitor"
    )
    documents = [
        ns.Document(f"{each}-{row}", text.format(each))
        for each in things.split()
        for row, text in enumerate(("Where is my {}?", "Where can I find my {}?"))
    ]
    collection_of(shop, "review", documents, encoder)
    sheet = visit("#/duplicates?collection=review&least=0.2")
    sheet.wait(".review .pair")
    total = int(sheet.text("#place").split(" of ")[1].replace(",", ""))
    assert total >= 20
    first = sheet.texts(".pair .text")
    sheet.press("a")
    sheet.until("document.getElementById('judged').textContent === '1 decided'")
    assert sheet.texts(".pair .text") != first
    sheet.press("u")
    sheet.until("document.getElementById('judged').textContent === '0 decided'")
    assert sheet.texts(".pair .text") == first
    said = []
    for done in range(1, 21):
        said.append((frozenset(sheet.texts(".pair .small")), bool(done % 3)))
        sheet.press("a" if done % 3 else "r")
        sheet.until(f"document.getElementById('judged').textContent === '{done} decided'")
    sheet.press("ArrowLeft", "ArrowRight")
    sheet.page.click("#learn")  # at once: what was just said may still be on its way
    sheet.wait("#learnt")
    kept = json.loads(fetched(f"{shop.address}/v1/collections/review/decisions")[2])
    assert [(frozenset((each["left"], each["right"])), each["same"]) for each in kept["decisions"]] == said
    assert kept["calibration"]["labels"] == 20
    sheet.page.reload()
    sheet.wait(".review .pair")
    assert sheet.text("#judged") == "20 decided"


def test_the_map_of_a_collection_is_drawn_and_looked_at(visit, shop, encoder):
    collection_of(shop, "drawn", [ns.Document(*each) for each in DOCUMENTS], encoder)
    sheet = visit("#/map?collection=drawn")
    sheet.page.click("#draw")
    frame = sheet.wait("iframe.frame").content_frame()
    frame.wait_for_selector("#clusters .legend li")
    assert f"{len(DOCUMENTS)} texts" in frame.inner_text("#lead")
    frame.fill("#asked", "parcel")
    frame.press("#asked", "Enter")
    assert "parcel" in frame.inner_text("#read")
    address = sheet.page.get_attribute("iframe.frame", "src")
    status, headers, _ = fetched(shop.address + address)
    assert status == 200
    assert "script-src 'sha256-" in headers["content-security-policy"]
    assert fetched(shop.address + address[:-1] + "x")[0] == 404


def test_documents_are_added_looked_through_and_removed(visit, shop, encoder):
    collection_of(shop, "notes", [], encoder)
    room = shop.service.collection("notes")
    sheet = visit("#/documents?collection=notes")
    sheet.wait("#written:focus")
    sheet.page.fill("#written", f"The first text.\n\n{SCRIPT}\nA third one.")
    sheet.page.click("#add")
    sheet.wait("text=3 documents added")
    sheet.until("document.querySelectorAll('#documents li').length === 3")
    assert {each.text for each in room.browse()} == {"The first text.", SCRIPT, "A third one."}
    rows = "id,text,lang\n" + "".join(f"n{row},A row of the file with the number {row}.,en\n" for row in range(40))
    sheet.page.set_input_files("#file", {"name": "rows.csv", "mimeType": "text/csv", "buffer": rows.encode()})
    sheet.wait("text=40 documents added")
    sheet.until("document.getElementById('count').textContent === '43 documents'")
    sheet.page.click("text=Next →")
    sheet.wait('[data-id="n39"]')
    sheet.page.check('[data-id="n39"] input')
    sheet.page.check('[data-id="n38"] input')
    sheet.page.click("#remove")
    sheet.page.click("#keep")
    assert len(room) == 43
    sheet.page.click("#remove")
    sheet.page.click("#really")
    sheet.wait("text=2 documents removed")
    assert [each is None for each in room.get(["n38", "n39", "n37"])] == [True, True, False]


def test_a_collection_is_made_from_the_page(visit, shop):
    sheet = visit("#/documents?collection=support")
    sheet.page.click("#new")
    sheet.page.fill('[aria-label="New collection"] input', "fresh")
    sheet.press("Enter")
    sheet.wait("text=Nothing here yet")
    assert "fresh" in shop.service.collections


def test_health_shows_the_server_its_collection_and_drift(visit, shop):
    shop.service.collection("support").search("is it well?")
    sheet = visit("#/health?collection=support", refused=(409,))
    sheet.wait("#now dd")
    sheet.wait("#held dd")
    assert ns.__version__ in sheet.text("#now")
    assert str(len(DOCUMENTS)) in sheet.text("#held")
    sheet.page.locator(".compare").first.click()
    sheet.wait("#drift [data-state], #drift #verdict")


def test_drift_is_told_with_what_was_compared_and_what_to_do(visit, shop, encoder, monkeypatch):
    make_drifting(shop.folder / "drifts.nearsense", encoder, monkeypatch)
    shop.service.add_collection(shop.folder / "drifts.nearsense")
    truth = json.loads(fetched(f"{shop.address}/v1/collections/drifts/drift?since=1d&against=28d")[2])
    assert truth["drifted"]
    sheet = visit("#/health?collection=drifts")
    sheet.wait("#drift .compare")
    sheet.page.select_option("#drift select", "1d 28d")
    sheet.page.click('[aria-label="Compare what is asked of drifts"]')
    sheet.wait("#drift #verdict")
    assert sheet.text("#verdict") == "Something moved"
    shown = sheet.texts("#drift tbody th")
    assert shown == [each["name"] for each in truth["tests"]]
    assert sheet.texts("#drift .card .code") == [each["command"] for each in truth["actions"]]
    sheet.page.reload()
    sheet.until("document.getElementById('now')?.innerText.includes('Moved')")


# -- what people wrote


def test_stored_texts_stay_texts_in_every_view(visit, shop):
    shop.service.faq("help").answer("<img src=x onerror=window.stolen=1> is this an entry?")
    sheet = visit("#/search?collection=support&q=Where+is+my+refund", refused=(404, 422))
    sheet.wait('[data-id="T-17"]')
    sheet.page.click('[data-id="T-17"] .why-button')
    sheet.wait('[data-id="T-17"] .lit')
    assert SCRIPT in sheet.text('[data-id="T-17"]')
    assert ONERROR in sheet.text("#results")
    assert "<b onmouseover=window.stolen=1>" in sheet.text("#results")
    for where in (
        "documents?collection=support",
        "duplicates?collection=support&least=0.2",
        "unanswered",
        "compare?a=%3Cimg+src%3Dx+onerror%3Dwindow.stolen%3D1%3E&b=%3Cscript%3Ewindow.stolen%3D1%3C%2Fscript%3E",
        "search?collection=%3Cimg+src%3Dx+onerror%3Dwindow.stolen%3D1%3E&q=%3Cscript%3E&where=%5B%5B%22%3Cb%3E%22%2C%22%3D%22%2C%22%3Ci%3E%22%5D%5D",
    ):
        sheet.go(f"#/{where}")
        sheet.until("!document.querySelector('[data-state=loading]')")
        assert sheet.page.locator("main img, main script, main b[onmouseover]").count() == 0


def test_texts_from_right_to_left_are_shown_so(visit):
    sheet = visit("#/search?collection=support&q=" + HEBREW[:20])
    sheet.wait('[data-id="T-15"]')
    for row, text in (("T-15", HEBREW), ("T-16", ARABIC)):
        shown = sheet.page.locator(f'[data-id="{row}"] .text')
        if shown.count():
            assert shown.inner_text() == text
            assert shown.evaluate("each => getComputedStyle(each).direction") == "rtl"
    assert sheet.page.locator("#asked").evaluate("each => getComputedStyle(each).direction") == "rtl"


def violations(sheet):
    """What axe finds serious."""
    pytest.importorskip("axe_playwright_python", reason="axe, which looks for barriers, is not installed")
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(sheet.page).response["violations"]
    return [
        (each["id"], [node["html"][:200] for node in each["nodes"]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


ASKED_IN_HEBREW = "מתי תגיע החבילה שלי?"
LEFT = {
    "search": "search?collection=support&q=my+parcel+is+late",
    "compare": "compare?a=I+was+charged+15+dollars.&b=I+was+charged+51+dollars.",
    "faq": "faq?faq=help&q=when+does+my+package+arrive",
    "unanswered": "unanswered?faq=help",
    **{name: f"{name}?collection=support" for name in ("duplicates", "map", "documents", "health")},
}
RIGHT = {
    "search": f"search?collection=right&q={quote_plus(HEBREW[:20])}",
    "compare": f"compare?a={quote_plus(HEBREW)}&b={quote_plus(ARABIC)}",
    "faq": f"faq?faq=right&q={quote_plus(ASKED_IN_HEBREW)}",
    "unanswered": "unanswered?faq=right",
    **{name: f"{name}?collection=right" for name in ("duplicates", "map", "documents", "health")},
}
SHOWN = {
    "search": ".result",
    "compare": "#verdict",
    "faq": ".answer",
    "unanswered": ".group",
    "duplicates": ".pair, .note",
    "map": "#draw, iframe",
    "documents": "#documents li",
    "health": "#held dd",
}
OPENED = {
    "search": (".result .why-button", ".result .lit"),
    "unanswered": (".group button", ".group form"),
    "map": ("#draw", "iframe"),
    "documents": ("#open-add", "#written:focus"),
    "health": (".compare", "#drift [data-state]"),
}
"""What is opened in a view before it is looked at: what is pressed, and what comes."""

WAYS = [
    (colours, width, text) for colours in ("light", "dark") for width in (1280, 360) for text in ("left", "right")
]
QUICK = {(name, way) for name, way in zip(VIEWS, WAYS, strict=True)}
"""Each view once, each way once; `slow` are all of both."""


@pytest.fixture(scope="module")
def right(shop, encoder):
    """A collection and a FAQ from right to left, and questions that nobody has answered in either."""
    texts = [
        ns.Document(f"R-{row}", text, {"מצב": "פתוח"}) for row, text in enumerate((HEBREW, HEBREW + "!", ARABIC))
    ]
    collection_of(shop, "right", texts, encoder)
    file = shop.folder / "right.jsonl"
    file.write_text(json.dumps({"id": "1", "question": ASKED_IN_HEBREW, "answer": "תוך שני ימי עבודה."}), "utf-8")
    shop.service.add_faq(file).answer("האם אתם מוכרים שוברי מתנה?")
    shop.service.faq("help").answer("Is there a shop in Paris?")


@pytest.mark.usefixtures("right")
@pytest.mark.parametrize(
    ("name", "way"),
    [
        pytest.param(name, way, id=f"{name}-{way[0]}-{way[1]}-{way[2]}", marks=[] if quick else pytest.mark.slow)
        for name in VIEWS
        for way in WAYS
        for quick in [(name, way) in QUICK]
    ],
)
def test_no_view_has_a_barrier_and_none_is_wider_than_its_window(visit, name, way):
    colours, width, text = way
    where = {"left": LEFT, "right": RIGHT}[text][name]
    sheet = visit(f"#/{where}", color_scheme=colours, size=(width, 740), refused=(409,))
    sheet.wait(SHOWN[name])
    sheet.until("!document.querySelector('.results.old, [data-state=loading]')")
    press, comes = OPENED.get(name, (None, None))
    if press and sheet.page.locator(press).count():
        sheet.page.locator(press).first.click()
        sheet.wait(comes)
    assert sheet.page.evaluate("document.documentElement.dataset.theme") == colours
    assert sheet.page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(sheet) == []
