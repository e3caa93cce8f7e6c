"""Secrets, signatures, where deliveries may go, and when they are tried again."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

import pytest
from catalog_rows import CatalogRows

from modelfoundry import errors
from modelfoundry.registry.events.history import EventQuery, History, Kept
from modelfoundry.registry.webhooks.deliveries import Deliveries, Delivery, backoff
from modelfoundry.registry.webhooks.destination import Destination, Unreachable, find_address
from modelfoundry.registry.webhooks.signing import check_secret, new_secret, signature
from modelfoundry.registry.webhooks.webhooks import WebhookDraft, Webhooks

ALL = EventQuery("default")
URL = "http://127.0.0.1:1/hook"


class Clock:
    """The time, which can be moved forward."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def webhooks(rows: CatalogRows, clock: Clock) -> Webhooks:
    return Webhooks(rows.database, allow_private=True, now=clock)


@pytest.fixture
def deliveries(rows: CatalogRows, clock: Clock) -> Deliveries:
    return Deliveries(rows.database, max_failures=3, now=clock)


def taken(deliveries: Deliveries, name: str) -> Delivery:
    delivery = deliveries.take(name)
    assert delivery is not None
    return delivery


def test_signatures_are_those_of_the_standard() -> None:
    # The example of the Standard Webhooks specification's reference libraries.
    given = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert given == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_made_secrets_differ_and_fit() -> None:
    assert new_secret() != new_secret()
    assert check_secret(new_secret(), field="secret").startswith("whsec_")


@pytest.mark.parametrize("secret", ["hunter2", "whsec_", "whsec_c2hvcnQ=", "whsec_!" * 8, "whsec_" + "A" * 100])
def test_weak_or_malformed_secrets_are_refused(secret: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        check_secret(secret, field="webhook.secret")
    assert secret not in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "file:///etc/passwd",
        "https://",
        "example.com/hook",
        "http://user:word@example.com",
        "http://a\n.b",
    ],
)
def test_urls_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(errors.InvalidField):
        Destination.of(url, field="webhook.url")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "[::1]",
        "[fd00::1]",
        "[fe80::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "2130706433",
        "localhost",
    ],
)
def test_private_addresses_are_refused_unless_allowed(host: str) -> None:
    destination = Destination.of(f"http://{host}:8080/hook", field="webhook.url")

    with pytest.raises(Unreachable):
        find_address(destination, allow_private=False)
    assert find_address(destination, allow_private=True)


def test_public_addresses_are_taken_and_names_that_also_lead_inside_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*addresses: str) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    destination = Destination.of("https://hub.example.com/hook?a=b", field="webhook.url")
    resolve("93.184.215.14")
    assert find_address(destination, allow_private=False) == "93.184.215.14"
    resolve("93.184.215.14", "10.0.0.1")
    with pytest.raises(Unreachable, match=r"10\.0\.0\.1"):
        find_address(destination, allow_private=False)


def test_creating_a_webhook_to_this_machine_is_refused(rows: CatalogRows, clock: Clock) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        Webhooks(rows.database, allow_private=False, now=clock).create(WebhookDraft(URL, ALL))

    assert caught.value.field == "webhook.url"
    assert "WEBHOOK_PRIVATE_ADDRESSES" in caught.value.hint


def test_a_name_is_given_once(webhooks: Webhooks) -> None:
    webhooks.create(WebhookDraft(URL, ALL, id="hub"))

    with pytest.raises(errors.AlreadyExists):
        webhooks.create(WebhookDraft(URL, ALL, id="hub"))
    with pytest.raises(errors.NotFound) as caught:
        webhooks.get("projects/default/webhooks/hob")
    assert caught.value.metadata["near"] == "hub"


def test_there_are_only_so_many(webhooks: Webhooks) -> None:
    for _ in range(100):
        webhooks.create(WebhookDraft(URL, ALL))
    with pytest.raises(errors.StorageFull):
        webhooks.create(WebhookDraft(URL, ALL))


def test_events_are_taken_in_order_from_the_creation_on(
    rows: CatalogRows, webhooks: Webhooks, deliveries: Deliveries, clock: Clock
) -> None:
    rows.dataset("before")
    name = webhooks.create(WebhookDraft(URL, EventQuery("default", (), ("datasets",)))).name
    assert deliveries.due() == []
    rows.dataset("first")
    rows.model("not-meant")
    rows.dataset("second")

    assert deliveries.due() == [name]
    delivery = taken(deliveries, name)
    assert delivery.event.resource.endswith("/first")
    assert deliveries.take(name) is None, "it is under way"
    deliveries.succeeded(delivery)
    delivery = taken(deliveries, name)
    assert delivery.event.resource.endswith("/second")
    deliveries.succeeded(delivery)
    assert deliveries.take(name) is None
    assert webhooks.get(name).delivered_sequence == 4


def test_what_was_not_answered_by_a_killed_registry_is_sent_again(
    rows: CatalogRows, webhooks: Webhooks, deliveries: Deliveries, clock: Clock
) -> None:
    name = webhooks.create(WebhookDraft(URL, ALL)).name
    rows.dataset("first")
    lost = taken(deliveries, name)

    clock.now += timedelta(seconds=31)

    again = taken(deliveries, name)
    assert (again.id, again.event.sequence) == (lost.id, lost.event.sequence)


def test_failures_put_off_the_next_attempt_and_at_last_disable(
    rows: CatalogRows, webhooks: Webhooks, deliveries: Deliveries, clock: Clock
) -> None:
    name = webhooks.create(WebhookDraft(URL, ALL)).name
    rows.dataset("first")
    for failures in (1, 2, 3):
        deliveries.failed(taken(deliveries, name), "the receiver answered 500")
        row = webhooks.get(name)
        assert (row.failures, row.last_error) == (failures, "the receiver answered 500")
        assert row.next_attempt_time > clock.now
        assert deliveries.due() == []
        clock.now = row.next_attempt_time
        assert bool(deliveries.due()) is (failures < 3)

    assert webhooks.get(name).state == "disabled"
    assert webhooks.get(name).delivered_sequence == 0


def test_a_receiver_that_is_gone_is_left_alone(rows: CatalogRows, webhooks: Webhooks, deliveries: Deliveries) -> None:
    name = webhooks.create(WebhookDraft(URL, ALL)).name
    rows.dataset("first")
    deliveries.failed(taken(deliveries, name), "the receiver answered 410", is_gone=True)

    assert webhooks.get(name).state == "disabled"


def test_events_that_were_forgotten_are_passed_over(
    rows: CatalogRows, webhooks: Webhooks, deliveries: Deliveries, clock: Clock
) -> None:
    name = webhooks.create(WebhookDraft(URL, ALL)).name
    for number in range(4):
        rows.dataset(f"data-{number}")
    History(rows.database, Kept(30, 1), clock).forget_old()

    assert taken(deliveries, name).event.sequence == 4
    assert "up to 3 were forgotten" in webhooks.get(name).last_error


def test_waits_grow_to_an_hour_and_vary() -> None:
    assert timedelta(seconds=0.5) <= backoff(1) <= timedelta(seconds=1)
    assert timedelta(seconds=32) <= backoff(7) <= timedelta(seconds=64)
    assert timedelta(minutes=30) <= backoff(1000) <= timedelta(hours=1)
    assert len({backoff(5) for _ in range(20)}) > 1
