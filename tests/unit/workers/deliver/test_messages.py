"""Messages about ended tasks: signatures, e-mails, addresses, retry times.  No store; no network but this machine."""

from __future__ import annotations

from collections.abc import Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from shared.errors import BadSetting
from shared.model import Batch, Kind, Operation, Part, Status
from shared.outbox.mail_server import MailServer
from shared.outbox.public_addresses import is_public
from shared.outbox.webhook_messages import message_id, webhook_headers
from shared.outbox.webhooks import BadWebhook, check_url
from shared.tasks.records import Task
from shared.tasks.reports import EntryOutcome, ReportedEntry
from tests.support.receivers import mail_server
from workers.deliver.deliverer import FIRST_RETRY_MS, JITTER, LONGEST_RETRY_MS, retry_delay_ms
from workers.deliver.http_post import NotDelivered, post
from workers.deliver.messages import Problems, failure_mail


def task(**changes: Any) -> Task:
    known: dict[str, Any] = {
        "id": 7,
        "batch": Batch(Kind.ITEMS, Operation.PATCH, "Products", entries=3, bytes=10, chunks=1),
        "status": Status.FAILED,
        "submitted_ms": 1_700_000_000_000,
        "started_ms": 1_700_000_000_000,
        "updated_ms": 1_700_000_000_000,
        "error": "IngestionError: items not found: 'a'",
    }
    rest = dict.fromkeys(set(Task.__slots__) - set(known))
    return Task(**{**rest, "counts": {}, "entries_done": 0, "warnings": b"[]", **known, **changes})


NO_PROBLEMS = Problems()


def written(
    failed: Task | None = None,
    problems: Problems = NO_PROBLEMS,
    recipients: Sequence[str] = ("a@b.example",),
    public_url: str | None = None,
) -> EmailMessage:
    """The mail about a failed task, as it is read again."""
    mail = failure_mail(
        "acme", failed or task(), problems, sender="s@b.example", recipients=recipients, public_url=public_url
    )
    read = message_from_bytes(bytes(mail), policy=default)
    assert isinstance(read, EmailMessage)
    return read


def test_the_signature_is_that_of_the_specification() -> None:
    """The example that libraries for receivers test themselves with."""
    headers = webhook_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        now_s=1614265330,
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330")


def test_a_name_is_one_task_and_has_no_full_stop() -> None:
    """Which the signed content is divided by."""
    names = {message_id("a.b", task()), message_id("a", task()), message_id("a.b", task(id=8))}
    names.add(message_id("a.b", task(submitted_ms=1)))
    assert len(names) == 4
    assert not any("." in name for name in names)
    assert message_id("a.b", task()) == message_id("a.b", task(status=Status.DONE))


@pytest.mark.parametrize(
    "address", ["a@b.example\r\nBcc: c@d.example", "a@b.example\nX: y", "a@b.example, c@d.example"]
)
def test_no_header_can_be_smuggled_in_with_an_address(address: str) -> None:
    with pytest.raises(Exception, match=r".+"):
        written(recipients=[address])


def test_what_a_task_says_stays_in_the_body_of_a_mail() -> None:
    error = "IngestionError: x\r\nBcc: evil@d.example\r\n\r\n.\r\nMAIL FROM:<x>"
    read = written(task(error=error))
    assert read["Bcc"] is None
    assert set(read) == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding",
        "MIME-Version",
    }  # fmt: skip
    assert "Bcc: evil@d.example" in read.get_content()


def test_a_mail_says_whether_something_was_applied() -> None:
    """Nothing was, unless an operator gave the task up in the midst."""
    assert "Nothing of it was applied." in written().get_content()
    text = written(task(skipped_by="ann@desk", entries_done=1)).get_content()
    assert "What was applied of it stays." in text
    assert "Nothing of it" not in text


def test_senders_and_recipients_are_written_as_people_write_them() -> None:
    """With a name before the address, and with letters beyond ASCII in a domain."""
    sender = "Sluice Süd <noreply@bücher.example>"
    mail = failure_mail("acme", task(), NO_PROBLEMS, sender=sender, recipients=["a@bücher.example"], public_url=None)
    read = message_from_bytes(bytes(mail), policy=default)
    assert (read["From"].addresses[0].display_name, read["From"].addresses[0].addr_spec) == (
        "Sluice Süd", "noreply@xn--bcher-kva.example",
    )  # fmt: skip
    assert read["To"] == "a@xn--bcher-kva.example"
    assert read["Message-ID"].endswith("@xn--bcher-kva.example>")


def test_a_mail_says_in_its_subject_what_failed_and_why() -> None:
    """In one line, with the name of the file, and without the name of a class."""
    assert written()["Subject"] == "acme: update 7 failed: items not found: 'a'"
    parts = (Part(Kind.ITEMS, 3, 1, "items.csv"),)
    batch = Batch(Kind.ITEMS, Operation.SYNC, "Products", entries=3, bytes=10, chunks=1, parts=parts)
    named = written(task(batch=batch, error="items.csv, line 3: name: field required\r\nBcc: x " + "long " * 50))
    assert named["Subject"].startswith("acme: items.csv failed: items.csv, line 3: name: field required Bcc: x long")
    assert named["Subject"].endswith("long …")
    assert len(named["Subject"]) < 120
    assert "Files: items.csv" in named.get_content()


def test_a_mail_names_the_first_problems_and_leads_to_the_page() -> None:
    """Whoever reads it on a phone knows what is wrong, and is one click away."""
    first = [
        ReportedEntry(4, "sku-5", EntryOutcome.FAILED, "its id does not exist"),
        ReportedEntry(6, None, EntryOutcome.FAILED, "name: field required"),
    ]
    mail = written(problems=Problems(first, total=12), public_url="https://sluice.example/")
    text = mail.get_content().replace("\r\n", "\n")
    assert "  sku-5: its id does not exist\n  entry 7: name: field required\n  and 10 more\n" in text
    assert "https://sluice.example/integration/c/acme/updates/7\n" in text
    assert "GET /v1/tasks/7?key=acme" in written().get_content()


def test_a_mail_server_that_does_not_take_us_says_why() -> None:
    """Without the password; one that does has no problem."""
    with mail_server() as mailbox:
        assert MailServer.parse(mailbox.url).problem() is None
        said = MailServer.parse(mailbox.url.replace("smtp://", "smtp://me:s3cret@")).problem()
    assert said
    assert "s3cret" not in said
    assert "Connection refused" in (MailServer.parse(mailbox.url).problem() or "")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", MailServer("smtp", "mail.example", 25)),
        ("starttls://mail.example", MailServer("starttls", "mail.example", 587)),
        ("smtps://me%40x:p%3Aw@mail.example:1465", MailServer("smtps", "mail.example", 1465, "me@x", "p:w")),
    ],
)
def test_a_mail_server_is_named_by_a_url(url: str, server: MailServer) -> None:
    assert MailServer.parse(url) == server


@pytest.mark.parametrize("url", ["mail.example", "http://mail.example", "smtp://", "smtp://me:secret@[x", "smtp://h:x"])
def test_what_names_no_mail_server_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(BadSetting, match="SLUICE_SMTP_URL is not of the form") as caught:
        MailServer.parse(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%lo", "fd00::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1",
    ],
)  # fmt: skip
def test_an_address_of_ours_is_none_to_call(address: str) -> None:
    """However it is written."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_everybody_may_be_called(address: str) -> None:
    assert is_public(address)


def test_one_private_address_among_others_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is looked up once, and nothing is called that was not checked."""
    looked: list[str] = []

    def resolve(host: str, port: int, **_: Any) -> Any:
        looked.append(host)
        return [(None, None, 0, "", (address, port)) for address in ("8.8.8.8", "10.0.0.1")]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    with pytest.raises(NotDelivered, match="private address"):
        post("http://both.example/", {}, b"", private=False)
    assert looked == ["both.example"]


def test_the_address_that_was_checked_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads elsewhere the next moment gains nothing."""
    called: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> Any:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.getaddrinfo", lambda host, port, **_: [(None, None, 0, "", ("8.8.8.8", port))])
    monkeypatch.setattr("socket.create_connection", connect)
    for url, port in (("http://rebound.example/x", 80), ("https://rebound.example", 443), ("http://r.example:81", 81)):
        with pytest.raises(NotDelivered, match="ConnectionRefusedError"):
            post(url, {}, b"", private=False)
        assert called.pop() == ("8.8.8.8", port)


@pytest.mark.parametrize("url", ["https://shop.example/hook?x=1", "http://8.8.8.8:8080/", "https://[2606:4700::1111]/"])
def test_a_good_url(url: str) -> None:
    check_url(url, private=False)


@pytest.mark.parametrize(
    "url",
    [
        "", "shop.example", "ftp://shop.example", "https://", "https://u:p@shop.example", "https://shop.example/#x",
        "https://shop.example/a b", "https://shop.example/\r\nX: y", "https://shop.example:99999", "https://[::1",
        "https://dömain.example", "https://127.0.0.1", "http://localhost:1", "http://[::1]/", "https://a/" + "x" * 2000,
    ],
)  # fmt: skip
def test_a_url_that_will_not_do(url: str) -> None:
    with pytest.raises(BadWebhook):
        check_url(url, private=False)


def test_private_addresses_may_be_allowed() -> None:
    check_url("http://127.0.0.1:8000/", private=True)


def test_attempts_grow_apart_and_never_further_than_four_hours() -> None:
    waits = [retry_delay_ms(failures, retry_after_s=None, jitter=0) for failures in (*range(1, 12), 10**6)]
    assert waits[0] == FIRST_RETRY_MS
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_RETRY_MS
    assert retry_delay_ms(1, retry_after_s=None, jitter=1) == FIRST_RETRY_MS * (1 + JITTER)


def test_a_receiver_may_ask_for_more_time_but_not_for_ever() -> None:
    assert retry_delay_ms(1, retry_after_s=600, jitter=0) == 600_000
    assert retry_delay_ms(1, retry_after_s=1, jitter=0) == FIRST_RETRY_MS
    assert retry_delay_ms(1, retry_after_s=10**9, jitter=0) == LONGEST_RETRY_MS


def test_nothing_here_reads_the_environment() -> None:
    """A proxy of the environment would resolve names itself."""
    source = Path(post.__code__.co_filename).read_text()
    assert "environ" not in source
    assert "urllib.request" not in source
