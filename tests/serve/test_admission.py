"""Admission: a key goes exactly as far as it says, and an end of keys opens nothing."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numen.core.errors import Forbidden, InvalidInput, Overloaded, Unauthenticated
from numen.core.key import ACTIONS, USUAL, Key, mint, redact
from numen.serve.admission import Admission

MODELS = ("digits", "iris", "words")


def made(**how: object) -> tuple[Key, bytes]:
    key, secret = mint("test", now=time.time(), **how)  # type: ignore[arg-type]
    return key, secret.encode()


def closed(*keys: Key) -> Admission:
    admission = Admission()
    admission.replace(keys)
    return admission


@given(
    models=st.sets(st.sampled_from((*MODELS, "*")), min_size=1),
    actions=st.sets(st.sampled_from(ACTIONS), min_size=1),
    model=st.sampled_from((*MODELS, "", "digit", "digits2", "*")),
    action=st.sampled_from(ACTIONS),
)
def test_a_key_goes_as_far_as_it_says(
    models: Collection[str], actions: Collection[str], model: str, action: str
) -> None:
    key, secret = made(models=models, actions=actions)
    admission = closed(key)
    within = action in actions and ("*" in models or model in models)
    assert admission.allowed(secret, [model], action) == ([model] if within else [])
    if within:
        assert admission.check(secret, model, action) is None
    else:
        with pytest.raises(Forbidden, match=f"key {key.id} is not for {action}"):
            admission.check(secret, model, action)


@given(st.integers(-3600, 3600).filter(lambda s: abs(s) > 60))
def test_a_key_ends_by_the_wall_clock(left: int) -> None:
    key, secret = made()
    admission = closed(replace(key, expires=int(time.time()) + left))
    if left > 0:
        admission.check(secret, "digits", "predict")
    else:
        with pytest.raises(Unauthenticated, match=f"key {key.id} has expired"):
            admission.check(secret, "digits", "predict")


@given(st.data())
def test_no_other_bytes_will_do(data: st.DataObject) -> None:
    key, secret = made()
    other = data.draw(
        st.binary(max_size=80)
        | st.sampled_from([secret[:-1], secret + b"a", secret.upper(), secret[3:], key.digest])
    )
    with pytest.raises(Unauthenticated):
        closed(key).check(other, "digits", "predict")
    with pytest.raises(Unauthenticated):
        closed(key).allowed(other, MODELS, "read")


def test_what_was_let_in_is_not_let_in_for_ever() -> None:
    key, secret = made(expires="1s")
    admission = closed(key)
    admission.check(secret, "digits", "predict")
    time.sleep(max(0.0, (key.expires or 0) - time.time()))
    with pytest.raises(Unauthenticated, match="has expired"):
        admission.check(secret, "digits", "predict")
    key, secret = made()
    admission.replace([key])
    admission.check(secret, "digits", "predict")
    admission.replace([replace(key, revoked=1)])
    with pytest.raises(Unauthenticated, match="was revoked"):
        admission.check(secret, "digits", "predict")


def test_only_where_nobody_was_given_a_key_all_is_open() -> None:
    key, secret = made()
    admission = Admission()
    assert admission.open
    assert admission.check(b"", "digits", "manage") is None
    assert admission.allowed(b"", MODELS, "read") == list(MODELS)
    admission.replace([key])
    with pytest.raises(Unauthenticated, match="none was sent"):
        admission.check(b"", "digits", "predict")
    # The last key's end does not open the door: neither where it expires nor where it is revoked.
    for ended in (replace(key, expires=1), replace(key, revoked=1)):
        admission.replace([ended])
        assert not admission.open
        for credential in (b"", secret):
            with pytest.raises(Unauthenticated):
                admission.check(credential, "digits", "predict")


def test_elsewhere_than_on_loopback_it_is_never_open_unless_one_says_so() -> None:
    key, _ = made()
    revoked, expired = replace(key, revoked=1), replace(key, expires=1)
    for host in ("0.0.0.0", "::", "192.168.1.5", "fe80::1%eth0", "::ffff:10.0.0.1"):
        for none in ([], [revoked], [expired]):
            with pytest.raises(InvalidInput, match="numen keys create NAME, or say --insecure"):
                Admission.at(host, none, insecure=False)
        admission = Admission.at(host, [key], insecure=False)
        admission.replace([])
        assert not admission.open
        assert Admission.at(host, [], insecure=True).open
        assert Admission.at(host, [revoked], insecure=True).open
        assert not Admission.at(host, [key], insecure=True).open
        assert not Admission.at(host, [expired], insecure=True).open
    for host in ("127.0.0.1", "::1", "127.8.9.10"):
        assert Admission.at(host, [], insecure=False).open
        assert not Admission.at(host, [revoked], insecure=False).open


def test_who_serves_everybody_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    Admission.at("127.0.0.1", [], insecure=True)
    Admission.at("0.0.0.0", [made()[0]], insecure=True)
    assert caplog.text == ""
    Admission.at("0.0.0.0", [], insecure=True)
    assert "--insecure: whoever reaches 0.0.0.0 may use and change all models" in caplog.text


def test_so_many_at_once_and_no_more() -> None:
    key, secret = made(max_concurrency=2)
    admission = closed(key)
    grants = [admission.check(secret, "digits", "predict") for _ in range(3)]
    grants[0].take()
    grants[1].take()
    with pytest.raises(Overloaded, match=f"key {key.id}: 2 requests are under way"):
        grants[2].take()
    # Others' keys come and go; what is under way goes on being counted.
    admission.replace([made()[0], key])
    with pytest.raises(Overloaded):
        admission.check(secret, "digits", "predict").take()
    grants[0].give_back()
    admission.check(secret, "digits", "predict").take()


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"models": []}, "models"),
        ({"models": ["Not A Name"]}, "name"),
        ({"actions": []}, "actions"),
        ({"actions": ["predict", "rule"]}, "actions"),
        ({"expires": "soon"}, "expires"),
        ({"expires": "0d"}, "expires"),
        ({"expires": "-1d"}, "expires"),
        ({"expires": "9999999999w"}, "expires"),
        ({"max_concurrency": 0}, "max_concurrency"),
    ],
)
def test_what_a_key_cannot_be(how: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        mint(**{"name": "test", "now": 0.0, **how})  # type: ignore[arg-type]
    assert caught.value.field == field


def test_a_key_says_nothing_of_its_secret() -> None:
    key, secret = mint("test", now=0.0, expires="30d")
    assert key.actions == USUAL
    assert key.expires == 30 * 86_400
    assert len({mint("test", now=0.0)[1] for _ in range(100)}) == 100
    assert len(secret) == 3 + 43  # 256 bits in base64
    said = f"{key!r} {key} {key.as_dict(0.0)}"
    assert secret not in said
    assert key.digest.hex() not in said
    assert repr(key.digest) not in said
    assert redact(f"a {secret}, b") == "a nm_…, b"
