"""Claims about goassist_index.secrets: keys and passwords are covered, code is left as it is.

The keys are put together at run time, so that no scanner takes this file for a leak.
"""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_index.secrets import is_secret_file, mask, spans

ALNUM = (string.ascii_letters + string.digits) * 4
LOWER = "0123456789abcdef" * 8


def rotated(alphabet: str, count: int, by: int = 7) -> str:
    return (alphabet * 2)[by : by + count]


SECRETS = {
    "aws": "AKIA" + "IOSFODNN7QWERTYU"[:16],
    "github": "ghp" + "_" + rotated(ALNUM, 36),
    "github fine": "github" + "_pat_" + rotated(ALNUM, 82),
    "gitlab": "glpat" + "-" + rotated(ALNUM, 20),
    "slack": "xoxb" + "-123456789012-" + rotated(ALNUM, 24),
    "stripe": "sk" + "_live_" + rotated(ALNUM, 24),
    "google": "AIza" + rotated(ALNUM, 35),
    "openai": "sk" + "-proj-" + rotated(ALNUM, 40),
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + "." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0" + "." + rotated(ALNUM, 43),
    "hugging face": "hf" + "_" + rotated(ALNUM, 34),
    "npm": "npm" + "_" + rotated(ALNUM, 36),
    "sendgrid": "SG" + "." + rotated(ALNUM, 22) + "." + rotated(ALNUM, 43),
    "vault": "hvs" + "." + rotated(ALNUM, 24),
}
NAMED = [
    'password := "{}"',
    'const apiKey = "{}"',
    '\tClientSecret: "{}",',
    'os.Setenv("AUTH_TOKEN", "{}")',
    "signingKey = []byte(`{}`)",
    'cfg["secret_key"] = "{}"',
]
FORMS = ['var x = "{}"', "// {}", "x := `{}`", 'f("a", "{}")', "{}"]


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("form", FORMS)
def test_a_key_of_a_known_shape_is_covered_wherever_it_stands(form: str, secret: str) -> None:
    text = f"package p\n\n{form.format(secret)}\n"
    covered = mask(text)
    assert secret not in covered
    assert len(covered) == len(text)
    assert covered.count("\n") == text.count("\n")


@pytest.mark.parametrize("form", NAMED)
def test_a_random_string_that_is_given_a_telling_name_is_covered(form: str) -> None:
    secret = "f9Kq2vXz7LmP4wRt"
    assert secret not in mask(form.format(secret))
    assert form.format("")[:6] in mask(form.format(secret))


def test_a_private_key_is_covered_to_its_end() -> None:
    body = "\n".join(rotated(ALNUM, 64, by) for by in range(10))
    kind = "RSA PRIVATE" + " KEY"
    text = f"const key = `-----BEGIN {kind}-----\n{body}\n-----END {kind}-----`\nvar after = 1\n"
    covered = mask(text)
    assert not any(line in covered for line in body.split("\n"))
    assert covered.endswith("var after = 1\n")
    assert covered.count("\n") == text.count("\n")


def test_a_private_key_that_breaks_off_is_covered_too() -> None:
    assert "MIIEow" not in mask("-----BEGIN PRIVATE" + " KEY-----\nMIIEowIBAAKCAQEA")


def test_a_password_in_an_address_is_covered_and_the_rest_stays() -> None:
    covered = mask('dsn := "postgres://shop:' + "hunter2x" + '@db.example.com/shop"')
    assert covered == 'dsn := "postgres://shop:********@db.example.com/shop"'


@pytest.mark.parametrize(
    "code",
    [
        'token := "identifier"',
        'const tokenType = "access_token"',
        'password := os.Getenv("SHOP_PASSWORD")',
        'apiKey := "your-api-key-example-1234"',
        'return fmt.Errorf("bad token %q at %d", token, pos)',
        'secretName: "my-secret-name"',
        "func (p *Parser) nextToken() Token { return p.tokens[p.pos] }",
        'req.Header.Set("Authorization", "Bearer "+token)',
        'u := "https://example.com:8080/path@v2"',
        'key = "kube-system/coredns"',
        "sk := skiplist.New()",
        "// https://user:%s@host is built below",
    ],
)
def test_ordinary_code_is_left_alone(code: str) -> None:
    assert mask(code) == code


@given(st.lists(st.sampled_from([*SECRETS.values(), "\n", '"', "`", " ", "password = ", "x := 1", "é👋", "-----"])))
def test_masking_keeps_every_offset_and_does_nothing_twice(parts: list[str]) -> None:
    text = "".join(parts)
    covered = mask(text)
    assert len(covered) == len(text)
    assert [i for i, c in enumerate(covered) if c == "\n"] == [i for i, c in enumerate(text) if c == "\n"]
    assert mask(covered) == covered
    assert all(left[1] < right[0] for left, right in zip(spans(text), spans(text)[1:], strict=False))


@pytest.mark.parametrize("name", [".env", ".env.production", "prod.env", "id_rsa", "server.pem", "tls.key", ".netrc"])
def test_files_that_hold_credentials_are_known_by_name(name: str) -> None:
    assert is_secret_file(name)


@pytest.mark.parametrize("name", ["main.go", "env.go", ".env.example", "id_rsa.pub", "keys.go", "token.go"])
def test_other_files_are_not(name: str) -> None:
    assert not is_secret_file(name)
