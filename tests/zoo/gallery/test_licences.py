import pytest

from subpixel.errors import UsageError
from subpixel.zoo.gallery.licences import expect_accepted, is_permissive


@pytest.mark.parametrize(
    "licence", ["MIT", "mit", "Apache-2.0", "BSD-3-Clause", "CC0-1.0", "WTFPL"]
)
def test_permissive_licences_need_no_agreement(licence: str) -> None:
    assert is_permissive(licence)
    expect_accepted(licence, (), "a network")


@pytest.mark.parametrize(
    "licence",
    [
        *("CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-SA-4.0", "GPL-3.0-only", "AGPL-3.0-only"),
        *("MIT AND CC-BY-NC-4.0", "MIT-like", "unknown", "", None),
    ],
)
def test_all_others_are_to_be_agreed_to_by_name(licence: str | None) -> None:
    assert not is_permissive(licence)
    for accepted in ((), ("MIT",), ("yes",)):
        with pytest.raises(UsageError, match=f'--accept-licence "{licence or "unknown"}"'):
            expect_accepted(licence, accepted, "a network")
    expect_accepted(licence, ("MIT", (licence or "unknown").upper()), "a network")


def test_only_an_identifier_is_looked_up_at_spdx() -> None:
    with pytest.raises(UsageError, match=r"is CC-BY-NC-4\.0 \(https://spdx\.org/licenses/CC-BY-NC"):
        expect_accepted("CC-BY-NC-4.0", (), "a network")
    with pytest.raises(UsageError, match=r"is ask me, which is not"):
        expect_accepted("ask me", (), "a network")
