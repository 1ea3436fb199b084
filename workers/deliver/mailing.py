"""Mail about failed tasks and webhooks that are given up."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from shared.errors import TaskNotFound
from shared.outbox.mail_server import MailServer
from shared.outbox.outbox import Trouble
from shared.outbox.webhooks import Webhook
from shared.tasks.records import Task
from shared.tasks.reports import EntryOutcome, Reports
from workers.deliver.messages import Problems, failure_mail, given_up_mail

log = structlog.get_logger()

#: Most entries that a mail names.
MAILED_PROBLEMS = 10


@dataclass(frozen=True, slots=True)
class Mailing:
    """Writes mails and sends them."""

    server: MailServer
    sender: str
    #: SLUICE_PUBLIC_URL, for links.
    public_url: str | None
    open_reports: Callable[[str], Reports]

    def send_failure(self, catalog_key: str, task: Task) -> None:
        """Tell those who asked for it that a task failed.  Raises what `MailServer.send` raises."""
        mail = failure_mail(
            catalog_key,
            task,
            self._problems(catalog_key, task),
            sender=self.sender,
            recipients=task.batch.notification_emails,
            public_url=self.public_url,
        )
        if refused := self.server.send(mail):
            log.warning("mail: recipients refused", action="mail", catalog_key=catalog_key, recipients=refused)

    def send_given_up(self, catalog_key: str, webhook: Webhook, trouble: Trouble, *, now_ms: int) -> None:
        """Tell those who asked for it, once: a mail that is not taken is logged."""
        if not webhook.notification_emails:
            return
        try:
            mail = given_up_mail(
                catalog_key, webhook, trouble, sender=self.sender, now_ms=now_ms, public_url=self.public_url
            )
            self.server.send(mail)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            log.error("mail about a webhook not sent", action="mail", catalog_key=catalog_key, error=str(error))

    def _problems(self, catalog_key: str, task: Task) -> Problems:
        """Read which entries are to blame, unless all fail for the reason that the task tells."""
        try:
            page = self.open_reports(catalog_key).page(task, only=EntryOutcome.FAILED, offset=0, size=MAILED_PROBLEMS)
        except TaskNotFound:
            return Problems()
        own = [entry for entry in page.entries if entry.reason != task.error]
        return Problems(own, page.total if own else 0)
