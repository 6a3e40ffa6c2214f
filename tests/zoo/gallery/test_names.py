import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.errors import UsageError
from subpixel.zoo.gallery.names import close_ids, is_valid_id, match_id

IDS = ("4x-Ultra", "4x-UltraMix", "4x-span-ch48", "2x-span-ch48", "1x-DM600_LUDVAE")


@pytest.mark.parametrize("name", [*IDS, "x", "16x-PSNR", "a.b", "2x-v1.5", "a+b"])
def test_names_that_files_can_have(name: str) -> None:
    assert is_valid_id(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".hidden", "-x", "a.", "a-", "a b", "a/b", "../a", "a\\b", "/etc/passwd"),
        *("a\0", "a\n", "\x1b[2J", "näme", "a:b", "C:", "con", "NUL", "com1.x", "x" * 101),
        *("a.onnx", "a.PTH", "a.safetensors", "a\u202eb", "*", "a?"),
    ],
)
def test_names_that_could_leave_the_folder_or_mislead(name: str) -> None:
    assert not is_valid_id(name)


@given(st.text(max_size=12))
def test_no_valid_name_has_a_separator_or_a_control_character(name: str) -> None:
    if is_valid_id(name):
        assert name.isascii()
        assert name.isprintable()
        assert not set(name) & set("/\\:*?\"<>| '")
        assert name.strip(".") == name


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("4x-Ultra", "4x-Ultra"),
        ("4X-ULTRA", "4x-Ultra"),
        ("4x-ultram", "4x-UltraMix"),
        ("ludvae", "1x-DM600_LUDVAE"),
        ("2x-s", "2x-span-ch48"),
    ],
)
def test_a_name_means_the_only_one_that_it_can(name: str, meant: str) -> None:
    assert match_id(name, IDS) == meant


@pytest.mark.parametrize("name", ["span", "4x-", "x"])
def test_a_name_that_several_have_a_part_in_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"may be any of .*4x-span-ch48"):
        match_id(name, IDS)


def test_names_that_differ_by_case_alone_need_their_case() -> None:
    assert match_id("net", ["net", "NET"]) == "net"
    with pytest.raises(UsageError, match="may be any of NET, net"):
        match_id("Net", ["net", "NET"])


@pytest.mark.parametrize("name", ["4x-Ulrta", "", "quite another"])
def test_a_name_that_nothing_has_is_refused_with_suggestions(name: str) -> None:
    with pytest.raises(UsageError, match="no network is called") as refused:
        match_id(name, IDS)
    assert ("did you mean 4x-Ultra" in str(refused.value)) == (name == "4x-Ulrta")


def test_many_matches_are_not_all_listed() -> None:
    with pytest.raises(UsageError, match=r"and 92 more; write the whole name$"):
        match_id("n", [f"n{i:03d}" for i in range(100)])


def test_close_names_are_given_as_they_are_written() -> None:
    assert close_ids("1x-dm600ludvae", IDS) == ["1x-DM600_LUDVAE"]
