"""Notices on their way out: written down first, then sent by whichever part takes them.

Nothing here runs in a job's way: jobs know nothing of it, and who sends has time. Of each thing
that notices are about, the last one that arrives must be the newest there is: so they keep their
order, and a newer one takes the place of one that could not be sent yet.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final, Literal

from django.db import transaction
from django.db.models import Count, F, Q, Value
from django.db.models.functions import Now

from backups_app import addresses
from backups_app.addresses import HEARTBEAT, NO_ADDRESS
from backups_app.models import Notice, NoticeState
from backups_app.news import News
from worker.engine.notify.send import Message
from worker.engine.notify.variables import NotifyConfig

log = logging.getLogger(__name__)

ALIKE: Final = timedelta(minutes=30)
HOUR: Final = timedelta(hours=1)
AN_HOUR_AT_MOST: Final = 30
FIRST_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = HOUR
GIVEN_UP_AFTER: Final = timedelta(days=1)
FRESH: Final = timedelta(seconds=30)
KEPT: Final = timedelta(days=30)
PING: Final = "ping-"

Tone = Literal["success", "warning", "failure", "info"]
Verb = Literal["start", "success", "fail"]
TONES: Final[dict[str, Tone]] = {
    "success": "success",
    "recovered": "success",
    "drill": "success",
    "warning": "warning",
    "missed": "warning",
    "overdue": "failure",
    "failure": "failure",
    "summary": "info",
}


def post(config: NotifyConfig, news: News) -> None:
    """Write it down for each address, unless the last that this was told is the same."""
    event = next((one for one in news.events if one in config.events), None)
    if event:
        for url in config.urls:
            _write(addresses.target(url), event, news)


def ping(config: NotifyConfig, verb: Verb) -> None:
    """Write a heartbeat down. Uptime Kuma knows no beginning: it would count as a success."""
    if config.heartbeat_url and not (verb == "start" and _is_kuma(config.heartbeat_url)):
        target, event = addresses.target(config.heartbeat_url), f"{PING}{verb}"
        _queue(Notice(event=event, about=HEARTBEAT, topic=event, target=target, title=verb))


def take_next(config: NotifyConfig) -> tuple[Notice, Message | None] | None:
    """The oldest that is due, now ours for two minutes, or None. No message: its address is gone.

    An address that had its number within the hour waits; heartbeats are not counted.
    """
    told = Notice.objects.exclude(about=HEARTBEAT).filter(sent_at__gt=Now() - Value(HOUR))
    counted = told.order_by().values("target").annotate(sent=Count("pk"))
    full = counted.filter(sent__gte=AN_HOUR_AT_MOST).values("target")
    for notice in Notice.objects.due().filter(~Q(target__in=full) | Q(about=HEARTBEAT)):
        if Notice.objects.take(notice.pk):
            urls = {
                addresses.target(url): url for url in (*config.urls, config.heartbeat_url) if url
            }
            url = urls.get(notice.target)
            return notice, _message(notice, url, config) if url else None
    return None


def record(notice: Notice, reason: str | None) -> None:
    """What came of it: None when there was nowhere to send it, "" when it was taken.

    A failed one is tried again after 30 seconds, then after pauses twice as long, of an hour at
    most, for a day; but not when a newer one about the same thing waits.
    """
    row = Notice.objects.filter(pk=notice.pk)
    behind = Notice.objects.waiting(notice.target, notice.about).filter(pk__gt=notice.pk)
    if reason == "":
        row.update(state=NoticeState.SENT, sent_at=Now(), reason="")
        behind.update(next_at=Now())
    elif reason is None:
        _give_up(notice, NO_ADDRESS)
    elif behind.exists():
        row.update(state=NoticeState.REPLACED, reason=reason)
    elif row.filter(created_at__lt=Now() - Value(GIVEN_UP_AFTER)).exists():
        _give_up(notice, reason)
    else:
        row.update(next_at=Now() + Value(_pause(notice.attempts)), reason=reason)
        log.warning("Notice waits for another attempt (%s): %s", reason, notice)


def forget_old() -> None:
    """Notices older than 30 days."""
    Notice.objects.filter(created_at__lt=Now() - Value(KEPT)).delete()


def _give_up(notice: Notice, reason: str) -> None:
    Notice.objects.filter(pk=notice.pk).update(state=NoticeState.GIVEN_UP, reason=reason)
    log.error("Notice given up (%s): %s", reason, notice)


def _pause(attempts: int) -> timedelta:
    return min(FIRST_PAUSE * (1 << min(attempts, 10)), LONGEST_PAUSE)


def _write(target: str, event: str, news: News) -> None:
    same = Notice.objects.filter(target=target, about=news.about)
    last = same.exclude(state=NoticeState.REPLACED).last()
    alike = Notice.objects.filter(topic=news.topic, created_at__gt=Now() - Value(ALIKE))
    alike = alike.exclude(state=NoticeState.GIVEN_UP)
    if last and alike.filter(pk=last.pk).update(more=F("more") + 1):
        return
    notice = Notice(event=event, about=news.about, topic=news.topic, target=target)
    notice.title, notice.body = news.title[:200], news.body
    _queue(notice)


def _queue(notice: Notice) -> None:
    """In the place of what waits about the same thing: what failed, and what waited for long.

    One that has just been written goes out first: a start before its end. With the place comes
    the pause that the address was given; one that is being sent right now holds it for two minutes.
    """
    waiting = Notice.objects.waiting(notice.target, notice.about).select_for_update()
    with transaction.atomic():
        late = waiting.filter(Q(attempts__gt=0) | Q(created_at__lt=Now() - Value(FRESH)))
        replaced = list(late)
        notice.next_at, notice.attempts = Now(), 0
        if replaced:
            last = replaced[-1]
            notice.next_at, notice.attempts, notice.reason = (
                last.next_at,
                last.attempts,
                last.reason,
            )
        late.filter(pk__in=[one.pk for one in replaced]).update(state=NoticeState.REPLACED)
        if unsent := _unsent(notice):
            notice.body += f"\n{unsent} more messages about this were not sent."
        notice.save()


def _unsent(notice: Notice) -> int:
    """How many about the same thing were held back or replaced since the last one that went."""
    same = Notice.objects.filter(target=notice.target, about=notice.about)
    last = same.exclude(state=NoticeState.REPLACED).last()
    replaced = same.filter(state=NoticeState.REPLACED, pk__gt=last.pk if last else 0)
    return replaced.count() + (last.more if last else 0)


def _message(notice: Notice, url: str, config: NotifyConfig) -> Message:
    verb = notice.event.removeprefix(PING)
    ping = notice.about == HEARTBEAT
    return {
        "url": _heartbeat(url, verb) if ping else url,
        "title": notice.title,
        "body": notice.body,
        "type": TONES.get(notice.event, "info"),
        "ping": ping,
        "private": config.allow_private,
    }


def _heartbeat(url: str, verb: str) -> str:
    """As Uptime Kuma's push monitors want it, else as Healthchecks and its like do."""
    base = url.partition("?")[0].rstrip("/")
    if _is_kuma(url):
        return f"{base}?status={'down' if verb == 'fail' else 'up'}&msg={verb}"
    return base if verb == "success" else f"{base}/{verb}"


def _is_kuma(url: str) -> bool:
    return "/api/push/" in url.partition("?")[0]
