"""`sagittal download`, from a server on a bad day: it breaks off, stalls, lies, refuses."""

import signal

import pytest
import zenodo as server
from downloads import FILES, IMAGES, RANDOM
from zenodo import md5


def test_cut_connections_are_continued_by_range(zenodo, download):
    zenodo.manners[IMAGES] = [server.cut(0.3), server.cut(0.5), server.cut(0.5)]
    zenodo.manners["record"] = [server.cut(0.5)]
    # Each brings something new, so that one attempt in vain is never reached.
    said = download.succeeds("--retries", 1)
    assert zenodo.ranges(IMAGES) == [None, "bytes=900000-", "bytes=1950000-", "bytes=2475000-"]
    assert [headers.get("if-range") for headers in zenodo.asked(IMAGES)] == [None] + 3 * [zenodo.etags[IMAGES]]
    assert said.count("images.zip  going on at") == 3 and "the record: " in said


def test_a_silent_server_is_requested_again(zenodo, download):
    zenodo.manners[IMAGES] = [server.mute, server.hold(0.25), server.hold(0.5)]
    zenodo.manners["record"] = [server.mute]
    said = download.succeeds("--stall-seconds", 0.4)
    assert said.count("no byte for 0.4 s") == 4
    assert zenodo.ranges(IMAGES) == [None, None, "bytes=750000-", "bytes=1875000-"]


def test_attempts_in_vain_come_to_an_end(zenodo, download):
    zenodo.manners[IMAGES] = [server.cut(0.5)] + 9 * [server.cut(0.0)]
    said = download.fails("--retries", 2)
    assert "gave up on images.zip" in said and "after 3 attempts in vain" in said, said
    assert zenodo.ranges(IMAGES) == [None, *3 * ["bytes=1500000-"]]
    assert download.part().stat().st_size == 1_500_000, "for the next run"


def test_a_server_without_ranges_that_always_breaks_off_is_given_up(zenodo, download):
    zenodo.manners[IMAGES] = 9 * [server.whole_then_cut(0.5)]
    said = download.fails("--retries", 1)
    assert "the server sends the whole file" in said and "gave up" in said
    assert len(zenodo.asked(IMAGES)) == 3


@pytest.mark.parametrize(
    ("manners", "asked"),
    [
        ([server.whole], 2),
        ([server.status(416)], 3),
        ([server.ranged("bytes 0-{last}/{length}")], 3),
        ([server.ranged("bytes {next}-{last}/{length}")], 3),
        ([server.ranged("bytes {first}-{last}/{more}")], 3),
        ([server.ranged("bytes {first}-{length}/*")], 3),
        ([server.ranged("nonsense")], 3),
        ([server.other_version], 3),
    ],
    ids=["200", "416", "from-0", "off-by-one", "other-total", "beyond", "nonsense", "other-etag"],
)
def test_where_a_part_cannot_be_continued_it_is_begun_anew(zenodo, download, manners, asked):
    zenodo.manners[IMAGES] = [server.cut(0.5), *manners]
    assert "images.zip: the server" in download.succeeds("--retries", 1)
    assert zenodo.ranges(IMAGES) == [None, "bytes=1500000-", None][:asked]


def test_a_file_that_changed_in_between_is_begun_anew(zenodo, download):
    download.interrupted(signal.SIGKILL)
    before, zenodo.etags[IMAGES] = zenodo.etags[IMAGES], '"another"'
    zenodo.requests.clear()
    assert "the file has changed" in download.succeeds()
    assert [headers["if-range"] for headers in zenodo.asked(IMAGES)] == [before]


def test_the_md5_judges_where_the_server_names_no_version(zenodo, download):
    zenodo.etags.clear()
    zenodo.manners[IMAGES] = [server.cut(0.5)]
    download.succeeds()
    assert zenodo.ranges(IMAGES) == [None, "bytes=1500000-"]
    assert "if-range" not in zenodo.asked(IMAGES)[1]


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_longer_body_is_refused_at_once(zenodo, download, chunked):
    zenodo.manners[IMAGES] = [server.instead(FILES[IMAGES] + b"x", chunked)]
    said = download.fails()
    assert "longer than the 3000000 bytes" in said and len(zenodo.asked(IMAGES)) == 1, said
    assert not download.part().is_file() or download.part().stat().st_size == 0


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_shorter_body_is_continued(zenodo, download, chunked):
    zenodo.manners[IMAGES] = [server.instead(FILES[IMAGES][:-5], chunked)]
    assert "ended after 2999995 of 3000000 bytes" in download.succeeds()
    assert zenodo.ranges(IMAGES) == [None, "bytes=2999995-"]


def test_wrong_bytes_are_fetched_once_more(zenodo, download):
    zenodo.manners["masks.zip"] = [server.instead(RANDOM.bytes(1_200_000))]
    assert "md5 is not what the record announces" in download.succeeds()
    assert zenodo.ranges("masks.zip") == [None, None]


def test_wrong_bytes_twice_are_an_error(zenodo, download):
    wrong = RANDOM.bytes(1_200_000)
    zenodo.manners["masks.zip"] = 5 * [server.instead(wrong)]
    said = download.fails()
    assert f"masks.zip came with md5 {md5(wrong)} twice" in said and md5(FILES["masks.zip"]) in said
    assert len(zenodo.asked("masks.zip")) == 2 and "masks.zip" not in download.names()
    download.zenodo.manners.clear()
    download.succeeds()


def test_a_busy_server_is_left_alone_as_long_as_it_asks(zenodo, download):
    zenodo.manners[IMAGES] = [server.status(503, Retry_After=2), server.status(429, Retry_After=0)]
    zenodo.manners["record"] = [server.status(500)]
    said = download.succeeds()
    # The first wait would be at most a second without the header.
    assert "503 Service Unavailable and asks to come back after 2 s; next attempt in 2.0 s" in said
    assert "429 Too Many Requests" in said and "the record: the server answered 500" in said


def test_a_server_that_asks_for_a_day_is_left_alone(zenodo, download):
    zenodo.manners[IMAGES] = [server.status(503, Retry_After=86400)]
    assert "asks to come back after 86400 s" in download.fails()
    assert len(zenodo.asked(IMAGES)) == 1


@pytest.mark.parametrize("what", ["record", IMAGES])
@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 204, 304])
def test_responses_that_no_retry_would_mend_are_not_retried(zenodo, download, what, code):
    zenodo.manners[what] = [server.status(code)]
    said = download.fails()
    assert f"the server answered {code}" in said and "/api/records/10159290" in said, said
    assert len(zenodo.requests) == (1 if what == "record" else 2)


def test_redirects_are_followed_within_reason(zenodo, download):
    content = f"{server.RECORD}/files/{IMAGES}/content"
    zenodo.manners[IMAGES] = [server.redirect(f"{content}?{n}") for n in range(8)] + [server.cut(0.5)]
    download.succeeds()
    assert zenodo.ranges(IMAGES)[-1] == "bytes=1500000-"


def test_redirects_without_end_are_refused(zenodo, download):
    zenodo.manners[IMAGES] = 50 * [server.redirect(f"{server.RECORD}/files/{IMAGES}/content")]
    assert "redirects" in download.fails()
    assert len(zenodo.asked(IMAGES)) == 11
